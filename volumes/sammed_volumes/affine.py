"""Affines: 4x4 matrices that map voxel indices (i, j, k, 1) to millimeters.

RAS (NIfTI): +x points to the patient's Right, +y Anterior, +z Superior.
LPS (DICOM, ITK, most NRRD): +x points Left, +y Posterior, +z Superior.
Inside this package every affine is RAS; the readers and writers of LPS formats convert.
"""

import numpy as np
from jaxtyping import Float

from sammed_volumes.errors import AffineError

# An affine is singular if a voxel's volume is less than this fraction of the product of its edges.
_FLAT = 1e-6


def spacing_mm(affine_ras_mm: Float[np.ndarray, "4 4"]) -> tuple[float, float, float]:
    """Return the lengths of a voxel's edges along the three array axes.

    >>> spacing_mm(np.diag([-2.0, 3.0, 0.5, 1.0]))
    (2.0, 3.0, 0.5)
    """
    x, y, z = np.linalg.norm(affine_ras_mm[:3, :3], axis=0)
    return float(x), float(y), float(z)


def check_affine(affine_ras_mm: Float[np.ndarray, "4 4"]) -> None:
    """Raise AffineError unless the affine can be inverted."""
    if not np.isfinite(affine_ras_mm).all():
        raise AffineError("its affine contains numbers that are not finite; export it again")
    edges = np.prod(spacing_mm(affine_ras_mm))
    if edges == 0 or abs(np.linalg.det(affine_ras_mm[:3, :3])) < _FLAT * edges:
        rows = np.array2string(affine_ras_mm[:3], precision=4, suppress_small=True).replace("\n", "")
        raise AffineError(f"its affine is singular, so its voxels have no volume ({rows}); export it again")


def swap_ras_lps(affine_mm: Float[np.ndarray, "4 4"]) -> Float[np.ndarray, "4 4"]:
    """Convert an affine from RAS to LPS, or from LPS to RAS: the function is its own inverse.

    >>> swap_ras_lps(np.eye(4)).diagonal()
    array([-1., -1.,  1.,  1.])
    """
    swapped: np.ndarray = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine_mm
    return swapped + 0.0  # turns -0.0 into 0.0


def apply_affine(affine: Float[np.ndarray, "4 4"], points: np.ndarray) -> np.ndarray:
    """Map points (..., 3) with an affine."""
    mapped: np.ndarray = points @ affine[:3, :3].T + affine[:3, 3]
    return mapped


def corner_points(shape: tuple[int, ...]) -> Float[np.ndarray, "8 3"]:
    """Indices (i, j, k) of the eight corner voxels of an array."""
    last = np.array(shape[:3], dtype=float) - 1
    return np.array(np.meshgrid(*[(0.0, end) for end in last])).reshape(3, 8).T


def corner_distance_voxels(
    shape: tuple[int, ...], first_ras_mm: Float[np.ndarray, "4 4"], second_ras_mm: Float[np.ndarray, "4 4"]
) -> float:
    """Return the largest distance of two corresponding corners, in shortest voxel edges of the first grid."""
    corners = corner_points(shape)
    apart = apply_affine(first_ras_mm, corners) - apply_affine(second_ras_mm, corners)
    return float(np.linalg.norm(apart, axis=1).max() / min(spacing_mm(first_ras_mm)))
