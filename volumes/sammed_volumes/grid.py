"""Voxel grids: the positions of an array's voxels, and how two grids differ."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from sammed_volumes.affine import corner_distance_voxels, spacing_mm

# Two grids are the same if no corner differs by more than this fraction of the shortest voxel edge: more than
# the rounding in headers, less than anyone can see.
_TOLERANCE_VOXELS = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class VoxelGrid:
    """The shape of an array and the affine that maps its voxel indices to RAS millimeters.

    `is_placed` is False if the file has no affine and the reader made one up.
    """

    shape: tuple[int, ...]
    affine_ras_mm: Float[np.ndarray, "4 4"]
    is_placed: bool = True

    def is_like(self, other: "VoxelGrid") -> bool:
        """Whether both have the same voxels in the same places, up to the rounding in headers."""
        return self.shape == other.shape and _lies_like(self, other.affine_ras_mm)

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Millimeters from one voxel to the next along the three array axes."""
        return spacing_mm(self.affine_ras_mm)

    @property
    def is_made_up(self) -> bool:
        """Whether the positions say nothing: made up by the reader, or 1 mm voxels from the origin on.

        The latter is what a program writes that has an array and no affine.
        """
        directions, first_mm = self.affine_ras_mm[:3, :3], self.affine_ras_mm[:3, 3]
        is_unit = np.array_equal(np.abs(directions), np.eye(3)) and not first_mm.any()
        return is_unit or not self.is_placed

    def difference(self, other: "VoxelGrid") -> str:
        """Describe the first property in which another grid differs: what the user has to correct."""
        if self.shape != other.shape:
            return self.shape_difference(other)
        if text := spacing_difference(self, other.spacing_mm, np.array(self.shape) - 1):
            return text
        placed_ras_mm = other.affine_ras_mm.copy()
        placed_ras_mm[:3, 3] = self.affine_ras_mm[:3, 3]
        if not _lies_like(self, placed_ras_mm):
            return "the directions of the axes differ"
        shift_mm = np.linalg.norm(self.affine_ras_mm[:3, 3] - other.affine_ras_mm[:3, 3])
        return f"the origins are {shift_mm:.3g} mm apart"

    def shape_difference(self, other: "VoxelGrid") -> str:
        """Name the shapes of another grid and this one, which differ."""
        return f"the shapes differ ({_times(other.shape)} against {_times(self.shape)} voxels)"

    def __str__(self) -> str:
        rows = np.array2string(self.affine_ras_mm[:3], precision=4, suppress_small=True, separator=" ")
        return f"shape {_times(self.shape)}, affine {' '.join(rows.split())}"


def spacing_difference(
    grid: VoxelGrid, other_mm: tuple[float, float, float], steps: Int[np.ndarray, " 3"]
) -> str | None:
    """Name both spacings if they lead to other places after so many steps along the axes, else None."""
    apart_mm = np.abs(np.subtract(grid.spacing_mm, other_mm)) * steps
    if apart_mm.max() <= _TOLERANCE_VOXELS * min(grid.spacing_mm):
        return None
    return f"the spacing differs ({_times(other_mm)} against {_times(grid.spacing_mm)} mm)"


def _times(numbers: tuple[float, ...]) -> str:
    return " x ".join(f"{number:.6g}" for number in numbers)


def _lies_like(grid: VoxelGrid, affine_ras_mm: Float[np.ndarray, "4 4"]) -> bool:
    apart = corner_distance_voxels(grid.shape, grid.affine_ras_mm, affine_ras_mm)
    return apart <= _TOLERANCE_VOXELS
