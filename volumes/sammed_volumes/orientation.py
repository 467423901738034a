"""Orientation: the patient axis and the direction of each array axis.

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
"""The planes whose normals are the patient axes 0, 1 and 2."""

# Scores that agree to this many decimals are a tie (a grid rotated by exactly 45 degrees).
_TIE_DECIMALS = 6


def patient_axes(affine_ras_mm: Float[np.ndarray, "4 4"]) -> tuple[int, int, int]:
    """Return the patient axis of each array axis, a permutation of 0, 1, 2.

    >>> patient_axes(np.array([[0, 0, 2.0, 0], [-1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1]]))
    (1, 2, 0)
    """
    check_affine(affine_ras_mm)
    directions = _unit_directions(affine_ras_mm)
    best = max(permutations(range(3)), key=lambda order: _agreement(directions, order))
    return best[0], best[1], best[2]


def patient_signs(affine_ras_mm: Float[np.ndarray, "4 4"]) -> tuple[int, int, int]:
    """Return +1 for each array axis that runs along its patient axis, -1 for each that runs against it."""
    axes = patient_axes(affine_ras_mm)
    signs = [1 if affine_ras_mm[patient, array] >= 0 else -1 for array, patient in enumerate(axes)]
    return signs[0], signs[1], signs[2]


def axis_codes(affine_ras_mm: Float[np.ndarray, "4 4"]) -> str:
    """Return the orientation as three letters: the end that each array axis runs toward.

    >>> axis_codes(np.diag([-1.0, -1.0, 1.0, 1.0]))
    'LPS'
    """
    pairs = zip(patient_axes(affine_ras_mm), patient_signs(affine_ras_mm), strict=True)
    return "".join(("LR", "PA", "IS")[patient][sign > 0] for patient, sign in pairs)


def axis_of_plane(affine_ras_mm: Float[np.ndarray, "4 4"], plane: str) -> int:
    """Return the array axis whose slices show a plane; raises VolumeError for an unknown plane."""
    if plane not in PLANES:
        raise VolumeError(f"{plane!r} is not a plane; use {', '.join(sorted(PLANES))}.")
    return patient_axes(affine_ras_mm).index(PLANES.index(plane))


def _unit_directions(affine_ras_mm: np.ndarray) -> np.ndarray:
    columns = affine_ras_mm[:3, :3]
    directions: np.ndarray = columns / np.linalg.norm(columns, axis=0)
    return directions  # patient axis, array axis


def _agreement(directions: np.ndarray, order: tuple[int, ...]) -> tuple[float, ...]:
    """Return how well an assignment of patient axes fits: the sum of |cosines|, then tie breakers.

    An anatomy must get the same orientation however its array is flipped and permuted, so the tie breakers
    don't depend on the order or sign of the array axes: each is a product of two components of a direction.
    """
    cosines = [abs(directions[patient, array]) for array, patient in enumerate(order)]
    by_patient = np.argsort(order)
    _, anterior, superior = directions[:, by_patient].T
    breakers = (superior[1] * superior[2], superior[0] * superior[2], anterior[0] * anterior[1])
    return tuple(np.round([sum(cosines), *breakers], _TIE_DECIMALS).tolist())
