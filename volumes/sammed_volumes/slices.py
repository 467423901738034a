"""Slices: the plan that turns a volume X Y Z into a stack S H W in the canonical anatomical pose, and back.

A stack is what the backbone looks at. However the array is stored, its slices show one anatomy in one pose:

    plane     slices run              rows run (down the picture)   columns run (to the right of the picture)
    axial     inferior -> superior    anterior -> posterior         patient right -> left
    coronal   posterior -> anterior   superior -> inferior          patient right -> left
    sagittal  right -> left           superior -> inferior          anterior -> posterior

Both directions are views: axes are permuted and flipped, no voxel is copied or resampled.
A stack point is (slice, x, y), x along the columns and y along the rows, in pixels, (0, 0) the first pixel's
center.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped

from sammed_volumes.affine import apply_affine, spacing_mm
from sammed_volumes.errors import GeometryMismatchError, VolumeError
from sammed_volumes.orientation import PLANES, Plane, patient_axes, patient_signs

# Spacings within this part of each other are equal: headers hold them as float32.
_SPACING_TIE = 1e-3

# For slices through patient axis 0, 1, 2: the patient axes of (slices, rows, columns) and the way each runs,
# +1 toward right, anterior, superior.
_POSES = {
    0: ((0, 2, 1), (-1, -1, -1)),
    1: ((1, 2, 0), (1, -1, -1)),
    2: ((2, 1, 0), (1, -1, -1)),
}


@dataclass(frozen=True, slots=True)
class Slicing:
    """How one volume's array becomes a stack S H W; `plan_slices` makes it."""

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
        """A view of the volume's array as a stack; inverse of `from_stack`."""
        self._check(voxels.shape[:3], self.shape, "volume")
        stack = np.moveaxis(voxels, self._axes, (0, 1, 2))
        return stack[self._steps]

    def from_stack(self, stack: Shaped[np.ndarray, "S H W *C"]) -> Shaped[np.ndarray, "X Y Z *C"]:
        """A view of a stack as the volume's array; inverse of `to_stack`."""
        self._check(stack.shape[:3], self.stack_shape, "stack")
        return np.moveaxis(stack[self._steps], (0, 1, 2), self._axes)

    def stack_index(self, array_index: int) -> int:
        """The slice of the stack that index `array_index` along the array's own axis becomes."""
        if not 0 <= array_index < self.count:
            last = self.count - 1
            raise VolumeError(
                f"Slice {array_index} is outside the volume: axis {self.axis} has slices 0 to {last}."
            )
        return self.count - 1 - array_index if self.flip_slices else array_index

    def array_index(self, stack_index: int) -> int:
        """The index along the array's own axis of a slice of the stack; inverse of `stack_index`."""
        return self.stack_index(stack_index)  # a flip is its own inverse

    def points_to_voxels(self, points_sxy_stack: Float[np.ndarray, "N 3"]) -> Float[np.ndarray, "N 3"]:
        """Stack points (slice, x, y) as array indices (i, j, k); inverse of `voxels_to_points`."""
        return apply_affine(self._stack_to_array, points_sxy_stack)

    def voxels_to_points(self, points_ijk: Float[np.ndarray, "N 3"]) -> Float[np.ndarray, "N 3"]:
        """Array indices (i, j, k) as stack points (slice, x, y); inverse of `points_to_voxels`."""
        return apply_affine(np.linalg.inv(self._stack_to_array), points_ijk)

    def points_to_mm(
        self, points_sxy_stack: Float[np.ndarray, "N 3"], affine_ras_mm: Float[np.ndarray, "4 4"]
    ) -> Float[np.ndarray, "N 3"]:
        """Stack points (slice, x, y) in RAS millimeters; inverse of `mm_to_points`."""
        return apply_affine(affine_ras_mm, self.points_to_voxels(points_sxy_stack))

    def mm_to_points(
        self, points_ras_mm: Float[np.ndarray, "N 3"], affine_ras_mm: Float[np.ndarray, "4 4"]
    ) -> Float[np.ndarray, "N 3"]:
        """RAS millimeters as stack points (slice, x, y); inverse of `points_to_mm`."""
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

    @property
    def _stack_to_array(self) -> np.ndarray:
        """4x4 from (slice, x, y) to (i, j, k); x belongs to the columns and y to the rows."""
        matrix = np.eye(4)
        matrix[:3, :3] = 0.0
        flips = (self.flip_slices, self.flip_columns, self.flip_rows)
        for source, axis in enumerate((self.axis, self.column_axis, self.row_axis)):
            matrix[axis, source] = -1.0 if flips[source] else 1.0
            matrix[axis, 3] = self.shape[axis] - 1 if flips[source] else 0.0
        return matrix

    @staticmethod
    def _check(shape: tuple[int, ...], expected: tuple[int, ...], what: str) -> None:
        if shape != expected:
            raise GeometryMismatchError(f"The {what} has the shape {shape}; this slicing is for {expected}.")


def plan_slices(
    shape: tuple[int, int, int], affine_ras_mm: Float[np.ndarray, "4 4"], axis: int | None = None
) -> Slicing:
    """Plan the slices through an array axis, by default the one that `coarsest_axis` names."""
    if axis is None:
        axis = coarsest_axis(shape, affine_ras_mm)
    if axis not in (0, 1, 2):
        raise VolumeError(f"A volume has the axes 0, 1 and 2; there is no axis {axis}.")
    patient = patient_axes(affine_ras_mm)
    order, ways = _POSES[patient[axis]]
    slices, rows, columns = (patient.index(each) for each in order)
    signs, spacing = patient_signs(affine_ras_mm), spacing_mm(affine_ras_mm)
    flips = [signs[array] != way for array, way in zip((slices, rows, columns), ways, strict=True)]
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
    """The array axis to slice through: of a single slice its own, else that of the coarsest spacing.

    Among equal spacings the one nearest to the patient's inferior-superior axis wins, then posterior-
    anterior.
    """
    single = [axis for axis in range(3) if shape[axis] == 1]
    if len(single) == 1:
        return single[0]
    spacing, patient = spacing_mm(affine_ras_mm), patient_axes(affine_ras_mm)
    coarse = [axis for axis in range(3) if spacing[axis] >= max(spacing) * (1 - _SPACING_TIE)]
    return max(coarse, key=lambda axis: patient[axis])
