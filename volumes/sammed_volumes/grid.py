"""Voxel grids: the positions of an array's voxels, and how two grids differ."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from sammed_volumes.affine import corner_distance_voxels, spacing_mm

# Two grids are the same if no corner differs by more than this fraction of the shortest voxel edge: more than
# the rounding in headers, less than anyone can see.
_TOLERANCE_VOXELS = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class VoxelGrid:
    """The shape of an array and the affine that maps its voxel indices to RAS millimeters."""

    shape: tuple[int, ...]
    affine_ras_mm: Float[np.ndarray, "4 4"]

    def is_like(self, other: "VoxelGrid") -> bool:
        """Whether both have the same voxels in the same places, up to the rounding in headers."""
        return self.shape == other.shape and _lies_like(self, other.affine_ras_mm)

    def difference(self, other: "VoxelGrid") -> str:
        """Describe the first property in which another grid differs: what the user has to correct."""
        if self.shape != other.shape:
            return "the shapes differ"
        ours_mm, theirs_mm = (np.array(spacing_mm(each.affine_ras_mm)) for each in (self, other))
        steps = np.array(self.shape) - 1  # from the first voxel to the last
        wider_mm = np.abs(ours_mm - theirs_mm) * steps
        if wider_mm.max() > _TOLERANCE_VOXELS * ours_mm.min():
            return "the spacing differs"
        placed_ras_mm = other.affine_ras_mm.copy()
        placed_ras_mm[:3, 3] = self.affine_ras_mm[:3, 3]
        if not _lies_like(self, placed_ras_mm):
            return "the directions of the axes differ"
        shift_mm = np.linalg.norm(self.affine_ras_mm[:3, 3] - other.affine_ras_mm[:3, 3])
        return f"the origins are {shift_mm:.3g} mm apart"

    def __str__(self) -> str:
        rows = np.array2string(self.affine_ras_mm[:3], precision=4, suppress_small=True, separator=" ")
        return f"shape {' x '.join(map(str, self.shape))}, affine {' '.join(rows.split())}"


def _lies_like(grid: VoxelGrid, affine_ras_mm: Float[np.ndarray, "4 4"]) -> bool:
    apart = corner_distance_voxels(grid.shape, grid.affine_ras_mm, affine_ras_mm)
    return apart <= _TOLERANCE_VOXELS
