"""Voxel grids: where the voxels of an array lie, and what sets two grids apart."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from sammed_volumes.affine import corner_distance_voxels, spacing_mm

# Two grids are one while no corner is further off than this part of the smallest voxel edge: more than
# rounding in a header ever does, less than anyone can see.
_TOLERANCE_VOXELS = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class VoxelGrid:
    """The shape of an array and the affine that maps its voxel indices to RAS millimeters."""

    shape: tuple[int, ...]
    affine_ras_mm: Float[np.ndarray, "4 4"]

    def is_like(self, other: "VoxelGrid") -> bool:
        """Whether both have the same voxels in the same places, to what a header's rounding may do."""
        return self.shape == other.shape and _lies_like(self, other.affine_ras_mm)

    def difference(self, other: "VoxelGrid") -> str:
        """In words, the first thing in which another grid is not like this one: what a person has to mend."""
        if self.shape != other.shape:
            return "the shapes differ"
        ours_mm, theirs_mm = (np.array(spacing_mm(each.affine_ras_mm)) for each in (self, other))
        wider_mm = np.abs(ours_mm - theirs_mm) * (
            np.array(self.shape) - 1
        )  # from the first voxel to the last
        if wider_mm.max() > _TOLERANCE_VOXELS * ours_mm.min():
            return "the spacing differs"
        placed_ras_mm = other.affine_ras_mm.copy()
        placed_ras_mm[:3, 3] = self.affine_ras_mm[:3, 3]
        if not _lies_like(self, placed_ras_mm):
            return "the axes run in other directions"
        shift_mm = np.linalg.norm(self.affine_ras_mm[:3, 3] - other.affine_ras_mm[:3, 3])
        return f"the origins are {shift_mm:.3g} mm apart"

    def __str__(self) -> str:
        rows = np.array2string(self.affine_ras_mm[:3], precision=4, suppress_small=True, separator=" ")
        return f"shape {' x '.join(map(str, self.shape))}, affine {' '.join(rows.split())}"


def _lies_like(grid: VoxelGrid, affine_ras_mm: Float[np.ndarray, "4 4"]) -> bool:
    apart = corner_distance_voxels(grid.shape, grid.affine_ras_mm, affine_ras_mm)
    return apart <= _TOLERANCE_VOXELS
