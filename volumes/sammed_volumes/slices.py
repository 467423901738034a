"""Slices: the plan that turns a volume X Y Z into a stack S H W in the canonical anatomical pose, and back.

The backbone sees the slices of a stack. However the array is stored, they show the anatomy in the same pose:

    plane     slices run              rows run (down the picture)   columns run (to the right of the picture)
    axial     inferior -> superior    anterior -> posterior         patient right -> left
    coronal   posterior -> anterior   superior -> inferior          patient right -> left
    sagittal  right -> left           superior -> inferior          anterior -> posterior

Both directions are views: they permute and flip axes, and copy or resample no voxel.
A stack point is (slice, x, y) in pixels: x is a column, y is a row, and (0, 0) is the center of the first
pixel.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped

from sammed_volumes.affine import apply_affine, spacing_mm
from sammed_volumes.errors import GeometryMismatchError, VolumeError
from sammed_volumes.orientation import PLANES, Plane, patient_axes, patient_signs

# Spacings that differ by less than this fraction are equal: headers store them as float32.
_SPACING_TIE = 1e-3

# For slices through patient axis 0, 1, 2: the patient axes of (slices, rows, columns) and the direction of
# each, +1 toward right, anterior, superior.
_POSES = {
    0: ((0, 2, 1), (-1, -1, -1)),
    1: ((1, 2, 0), (1, -1, -1)),
    2: ((2, 1, 0), (1, -1, -1)),
}


@dataclass(frozen=True, slots=True)
class Slicing:
    """How a volume's array becomes a stack S H W; `plan_slices` returns it."""

    shape: tuple[int, int, int]
    plane: Plane
    axis: int
    row_axis: int
    column_axis: int
    flip_slices: bool
    flip_rows: bool
    flip_columns: bool
    pixel_spacing_mm: tuple[float, float]
    slice_spacing_mm: float

    @property
    def count(self) -> int:
        """S, the number of slices."""
        return self.shape[self.axis]

    @property
    def height(self) -> int:
        """H, the pixels from the first row to the last."""
        return self.shape[self.row_axis]

    @property
    def width(self) -> int:
        """W, the pixels from the first column to the last."""
        return self.shape[self.column_axis]

    @property
    def stack_shape(self) -> tuple[int, int, int]:
        """S, H, W."""
        return self.count, self.height, self.width

    def to_stack(self, voxels: Shaped[np.ndarray, "X Y Z *C"]) -> Shaped[np.ndarray, "S H W *C"]:
        """Return a view of the volume's array as a stack; the inverse of `from_stack`."""
        self._check(voxels.shape[:3], self.shape, "volume")
        stack = np.moveaxis(voxels, self._axes, (0, 1, 2))
        return stack[self._steps]

    def from_stack(self, stack: Shaped[np.ndarray, "S H W *C"]) -> Shaped[np.ndarray, "X Y Z *C"]:
        """Return a view of a stack as the volume's array; the inverse of `to_stack`."""
        self._check(stack.shape[:3], self.stack_shape, "stack")
        return np.moveaxis(stack[self._steps], (0, 1, 2), self._axes)

    def stack_index(self, array_index: int) -> int:
        """Return the index in the stack of a slice with `array_index` along the array's own axis."""
        if not 0 <= array_index < self.count:
            last = self.count - 1
            raise VolumeError(
                f"Slice {array_index} is outside the volume: axis {self.axis} has slices 0 to {last}."
            )
        return self.count - 1 - array_index if self.flip_slices else array_index

    def array_index(self, stack_index: int) -> int:
        """Return the index along the array's own axis of a slice of the stack; inverse of `stack_index`."""
        return self.stack_index(stack_index)  # a flip is its own inverse

    def voxels_to_points(self, points_ijk: Float[np.ndarray, "N 3"]) -> Float[np.ndarray, "N 3"]:
        """Map array indices (i, j, k) to stack points (slice, x, y)."""
        points_sxy = points_ijk[:, (self.axis, self.column_axis, self.row_axis)]
        last = np.array((self.count, self.width, self.height)) - 1.0
        flips = (self.flip_slices, self.flip_columns, self.flip_rows)
        return np.where(flips, last - points_sxy, points_sxy)

    def mm_to_points(
        self, points_ras_mm: Float[np.ndarray, "N 3"], affine_ras_mm: Float[np.ndarray, "4 4"]
    ) -> Float[np.ndarray, "N 3"]:
        """Map points in RAS millimeters to stack points (slice, x, y)."""
        return self.voxels_to_points(apply_affine(np.linalg.inv(affine_ras_mm), points_ras_mm))

    @property
    def _axes(self) -> tuple[int, int, int]:
        return self.axis, self.row_axis, self.column_axis

    @property
    def _flips(self) -> tuple[bool, bool, bool]:
        return self.flip_slices, self.flip_rows, self.flip_columns

    @property
    def _steps(self) -> tuple[slice, slice, slice]:
        steps = [slice(None, None, -1 if flip else 1) for flip in self._flips]
        return steps[0], steps[1], steps[2]

    @staticmethod
    def _check(shape: tuple[int, ...], expected: tuple[int, ...], what: str) -> None:
        if shape != expected:
            raise GeometryMismatchError(f"The {what} has shape {shape}, but this slicing is for {expected}.")


def plan_slices(
    shape: tuple[int, int, int], affine_ras_mm: Float[np.ndarray, "4 4"], axis: int | None = None
) -> Slicing:
    """Plan the slices through an array axis, by default `coarsest_axis`; raises VolumeError for no axis."""
    if axis is None:
        axis = coarsest_axis(shape, affine_ras_mm)
    if axis not in (0, 1, 2):
        raise VolumeError(f"There is no axis {axis}; a volume has the axes 0, 1 and 2.")
    patient = patient_axes(affine_ras_mm)
    order, directions = _POSES[patient[axis]]
    slices, rows, columns = (patient.index(each) for each in order)
    signs, spacing = patient_signs(affine_ras_mm), spacing_mm(affine_ras_mm)
    flips = [
        signs[array] != direction
        for array, direction in zip((slices, rows, columns), directions, strict=True)
    ]
    return Slicing(
        shape=shape,
        plane=PLANES[patient[axis]],
        axis=slices,
        row_axis=rows,
        column_axis=columns,
        flip_slices=flips[0],
        flip_rows=flips[1],
        flip_columns=flips[2],
        pixel_spacing_mm=(spacing[rows], spacing[columns]),
        slice_spacing_mm=spacing[slices],
    )


def coarsest_axis(shape: tuple[int, int, int], affine_ras_mm: Float[np.ndarray, "4 4"]) -> int:
    """Return the array axis to slice through: that of a single slice, else that of the coarsest spacing.

    Among equal spacings, prefers the patient's inferior-superior axis, then posterior-anterior.
    """
    single = [axis for axis in range(3) if shape[axis] == 1]
    if len(single) == 1:
        return single[0]
    spacing, patient = spacing_mm(affine_ras_mm), patient_axes(affine_ras_mm)
    coarse = [axis for axis in range(3) if spacing[axis] >= max(spacing) * (1 - _SPACING_TIE)]
    return max(coarse, key=lambda axis: patient[axis])
