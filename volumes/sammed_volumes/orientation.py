"""Orientation: which array axis runs along which axis of the patient, and which way.

Patient axes are numbered 0 (left to right), 1 (posterior to anterior) and 2 (inferior to superior), as in
RAS. An oblique grid gets the nearest orientation.
"""

from itertools import permutations
from typing import Literal

import numpy as np
from jaxtyping import Float

from sammed_volumes.affine import check_affine
from sammed_volumes.errors import VolumeError

Plane = Literal["axial", "coronal", "sagittal"]
PLANES: tuple[Plane, Plane, Plane] = ("sagittal", "coronal", "axial")
"""The plane whose normal is patient axis 0, 1, 2."""

# Directions closer than this are a tie (a grid turned by exactly 45 degrees).
_TIE_DECIMALS = 6


def patient_axes(affine_ras_mm: Float[np.ndarray, "4 4"]) -> tuple[int, int, int]:
    """The patient axis that each array axis runs along, a permutation of 0, 1, 2.

    >>> patient_axes(np.array([[0, 0, 2.0, 0], [-1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1]]))
    (1, 2, 0)
    """
    check_affine(affine_ras_mm)
    directions = _unit_directions(affine_ras_mm)
    best = max(permutations(range(3)), key=lambda order: _agreement(directions, order))
    return best[0], best[1], best[2]


def patient_signs(affine_ras_mm: Float[np.ndarray, "4 4"]) -> tuple[int, int, int]:
    """Whether each array axis runs along (+1) or against (-1) its patient axis."""
    axes = patient_axes(affine_ras_mm)
    signs = [1 if affine_ras_mm[patient, array] >= 0 else -1 for array, patient in enumerate(axes)]
    return signs[0], signs[1], signs[2]


def axis_codes(affine_ras_mm: Float[np.ndarray, "4 4"]) -> str:
    """The orientation in three letters, each the end that its array axis runs toward.

    >>> axis_codes(np.diag([-1.0, -1.0, 1.0, 1.0]))
    'LPS'
    """
    pairs = zip(patient_axes(affine_ras_mm), patient_signs(affine_ras_mm), strict=True)
    return "".join(("LR", "PA", "IS")[patient][sign > 0] for patient, sign in pairs)


def plane_of_axis(affine_ras_mm: Float[np.ndarray, "4 4"], axis: int) -> Plane:
    """The plane that slices through an array axis show."""
    return PLANES[patient_axes(affine_ras_mm)[axis]]


def axis_of_plane(affine_ras_mm: Float[np.ndarray, "4 4"], plane: str) -> int:
    """The array axis to slice through for a plane; the inverse of `plane_of_axis`."""
    if plane not in PLANES:
        raise VolumeError(f"A plane is one of {', '.join(sorted(PLANES))}, not {plane!r}.")
    return patient_axes(affine_ras_mm).index(PLANES.index(plane))


def _unit_directions(affine_ras_mm: np.ndarray) -> np.ndarray:
    columns = affine_ras_mm[:3, :3]
    directions: np.ndarray = columns / np.linalg.norm(columns, axis=0)
    return directions  # patient axis, array axis


def _agreement(directions: np.ndarray, order: tuple[int, ...]) -> tuple[float, ...]:
    """How well an assignment fits: the sum of |cosines|, then tie breakers.

    One anatomy must get one orientation however its array is flipped and permuted, so the tie breakers don't
    depend on the order or sign of the array axes: each is a product of two components of one direction.
    """
    cosines = [abs(directions[patient, array]) for array, patient in enumerate(order)]
    by_patient = np.argsort(order)
    _, anterior, superior = directions[:, by_patient].T
    breakers = (superior[1] * superior[2], superior[0] * superior[2], anterior[0] * anterior[1])
    return tuple(np.round([sum(cosines), *breakers], _TIE_DECIMALS).tolist())
