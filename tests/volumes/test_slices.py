"""Slices: identities over all 48 orientations and three axes, and the canonical pose."""

import nibabel
import numpy as np
import pytest

from sammed_volumes.errors import GeometryMismatchError, VolumeError
from sammed_volumes.orientation import axis_of_plane
from sammed_volumes.slices import coarsest_axis, plan_slices
from tests.conftest import MakePhantom
from tests.volumes.conftest import Reorient

SHAPE = (7, 11, 5)
PLANES = ("axial", "coronal", "sagittal")

# The pose of each stack: nibabel's codes of the directions that S, H and W run toward.
POSES = {"axial": "SPL", "coronal": "AIL", "sagittal": "LIP"}


def counted(shape: tuple[int, int, int] = SHAPE) -> np.ndarray:
    """Return an array in which every voxel has its own value."""
    return np.arange(np.prod(shape), dtype=np.int16).reshape(shape)


def affine_of(axcodes: str, spacing_mm: tuple[float, float, float] = (1.0, 2.0, 3.0)) -> np.ndarray:
    pairs = {"R": (0, 1), "L": (0, -1), "A": (1, 1), "P": (1, -1), "S": (2, 1), "I": (2, -1)}
    affine = np.zeros((4, 4))
    affine[3, 3] = 1
    for axis, code in enumerate(axcodes):
        affine[pairs[code][0], axis] = pairs[code][1] * spacing_mm[axis]
    affine[:3, 3] = (-30.0, 17.0, 250.5)
    return affine


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_stack_then_back_is_the_volume(axcodes: str, axis: int) -> None:
    voxels = counted()
    slicing = plan_slices(SHAPE, affine_of(axcodes), axis)
    stack = slicing.to_stack(voxels)
    assert stack.shape == slicing.stack_shape == (slicing.count, slicing.height, slicing.width)
    np.testing.assert_array_equal(slicing.from_stack(stack), voxels)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_neither_direction_copies(axcodes: str, axis: int) -> None:
    voxels = counted()
    slicing = plan_slices(SHAPE, affine_of(axcodes), axis)
    stack = slicing.to_stack(voxels)
    assert np.shares_memory(stack, voxels)
    assert np.shares_memory(slicing.from_stack(stack), voxels)


@pytest.mark.parametrize("plane", PLANES)
def test_the_pose_is_the_canonical_one(axcodes: str, plane: str) -> None:
    """The stack equals what nibabel returns for the pose's axis codes."""
    voxels, affine = counted(), affine_of(axcodes)
    slicing = plan_slices(SHAPE, affine, axis_of_plane(affine, plane))
    now = nibabel.orientations.io_orientation(affine)
    pose = nibabel.orientations.axcodes2ornt(POSES[plane])
    expected = nibabel.orientations.apply_orientation(voxels, nibabel.orientations.ornt_transform(now, pose))
    assert slicing.plane == plane
    np.testing.assert_array_equal(slicing.to_stack(voxels), expected)


@pytest.mark.parametrize("plane", PLANES)
def test_an_anatomy_gives_the_same_stack_however_it_is_stored(
    axcodes: str, plane: str, phantom: MakePhantom, reorient: Reorient
) -> None:
    first = phantom().volume
    voxels, affine = reorient(first.voxels, first.affine_ras_mm, axcodes)
    expected = plan_slices(first.shape, first.affine_ras_mm, axis_of_plane(first.affine_ras_mm, plane))
    slicing = plan_slices(voxels.shape, affine, axis_of_plane(affine, plane))
    np.testing.assert_array_equal(slicing.to_stack(voxels), expected.to_stack(first.voxels))
    assert slicing.pixel_spacing_mm == expected.pixel_spacing_mm
    assert slicing.slice_spacing_mm == expected.slice_spacing_mm


@pytest.mark.parametrize("plane", PLANES)
def test_labels_from_a_stack_are_at_the_same_millimeters(
    axcodes: str, plane: str, phantom: MakePhantom, reorient: Reorient
) -> None:
    """A mask on the stack marks the same places in RAS millimeters in every orientation."""
    first = phantom()
    voxels, affine = reorient(first.labels.voxels, first.volume.affine_ras_mm, axcodes)
    slicing = plan_slices(voxels.shape, affine, axis_of_plane(affine, plane))
    expected = plan_slices(
        first.volume.shape, first.volume.affine_ras_mm, axis_of_plane(first.volume.affine_ras_mm, plane)
    )
    stack = expected.to_stack(first.labels.voxels).copy()
    assert places(slicing.from_stack(stack), affine) == places(
        first.labels.voxels, first.volume.affine_ras_mm
    )


def places(labels: np.ndarray, affine: np.ndarray) -> set[tuple[int, ...]]:
    """Return each labeled voxel as (x, y, z in micrometers, value)."""
    indices = np.argwhere(labels)
    mm = indices @ affine[:3, :3].T + affine[:3, 3]
    values = labels[tuple(indices.T)]
    return {
        (*row, value)
        for row, value in zip((mm * 1000).round().astype(int).tolist(), values.tolist(), strict=True)
    }


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_points_are_the_pixels_of_their_voxels(axcodes: str, axis: int) -> None:
    voxels = counted()
    slicing = plan_slices(SHAPE, affine_of(axcodes), axis)
    stack = slicing.to_stack(voxels)
    i, j, k = (index.ravel() for index in np.indices(voxels.shape))
    s, x, y = slicing.voxels_to_points(np.stack([i, j, k], axis=1).astype(float)).astype(int).T
    np.testing.assert_array_equal(stack[s, y, x], voxels[i, j, k])


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_points_between_voxels_and_outside_are_mapped_linearly(axcodes: str, axis: int) -> None:
    affine = affine_of(axcodes)
    slicing = plan_slices(SHAPE, affine, axis)
    indices = np.random.default_rng(0).uniform(-2, 12, size=(13, 3))
    corner, *ends = slicing.voxels_to_points(np.vstack([np.zeros(3), np.eye(3)]))
    steps = np.array(ends) - corner
    assert sorted(np.abs(steps).ravel().tolist()) == [0.0] * 6 + [1.0] * 3
    expected = corner + indices @ steps
    np.testing.assert_allclose(slicing.voxels_to_points(indices), expected, atol=1e-9)
    in_mm = indices @ affine[:3, :3].T + affine[:3, 3]
    np.testing.assert_allclose(slicing.mm_to_points(in_mm, affine), expected, atol=1e-9)


@pytest.mark.parametrize("plane", PLANES)
def test_points_in_mm_do_not_depend_on_the_storage(
    axcodes: str, plane: str, phantom: MakePhantom, reorient: Reorient
) -> None:
    first = phantom().volume
    voxels, affine = reorient(first.voxels, first.affine_ras_mm, axcodes)
    point_ras_mm = np.array([[3.0, 5.5, 9.25]])
    expected = plan_slices(first.shape, first.affine_ras_mm, axis_of_plane(first.affine_ras_mm, plane))
    slicing = plan_slices(voxels.shape, affine, axis_of_plane(affine, plane))
    np.testing.assert_allclose(
        slicing.mm_to_points(point_ras_mm, affine),
        expected.mm_to_points(point_ras_mm, first.affine_ras_mm),
        atol=1e-9,
    )


def test_array_and_stack_indices_are_inverse(axcodes: str) -> None:
    voxels = counted()
    for axis in range(3):
        slicing = plan_slices(SHAPE, affine_of(axcodes), axis)
        for index in range(slicing.count):
            stack_index = slicing.stack_index(index)
            assert slicing.array_index(stack_index) == index
            assert set(slicing.to_stack(voxels)[stack_index].ravel()) == set(voxels.take(index, axis).ravel())


@pytest.mark.parametrize("index", [-1, 5])
def test_an_index_outside_is_refused(index: int) -> None:
    slicing = plan_slices(SHAPE, np.eye(4), 2)
    with pytest.raises(VolumeError, match=f"Slice {index} is outside the volume: axis 2 has slices 0 to 4"):
        slicing.stack_index(index)


@pytest.mark.parametrize(
    ("shape", "spacing_mm", "axcodes", "plane"),
    [
        pytest.param(SHAPE, (1, 1, 5), "RAS", "axial", id="thick axial slices"),
        pytest.param(SHAPE, (5, 1, 1), "RAS", "sagittal", id="thick sagittal slices"),
        pytest.param(SHAPE, (1, 4, 1), "LSP", "axial", id="thick slices, second axis"),
        pytest.param(SHAPE, (1, 1, 1), "SAR", "axial", id="isotropic: the patient's long axis"),
        pytest.param(SHAPE, (1, 1, 1.0004), "PSR", "axial", id="isotropic but for rounding"),
        pytest.param(SHAPE, (2, 2, 1), "RAS", "coronal", id="tie without the long axis"),
        pytest.param((7, 1, 5), (2, 1, 1), "RAS", "coronal", id="one slice, though it is thin"),
        pytest.param((1, 1, 5), (2, 1, 1), "RAS", "sagittal", id="a line of voxels"),
    ],
)
def test_the_default_axis(
    shape: tuple[int, int, int], spacing_mm: tuple[float, float, float], axcodes: str, plane: str
) -> None:
    assert plan_slices(shape, affine_of(axcodes, spacing_mm)).plane == plane


def test_the_default_axis_shows_the_same_plane_however_it_is_stored(
    axcodes: str, phantom: MakePhantom, reorient: Reorient
) -> None:
    isotropic = phantom(shape=(7, 11, 5), spacing_mm=(2, 2, 2)).volume
    voxels, affine = reorient(isotropic.voxels, isotropic.affine_ras_mm, axcodes)
    assert coarsest_axis(voxels.shape, affine) == axis_of_plane(affine, "axial")


def test_pixel_spacing_is_rows_then_columns() -> None:
    slicing = plan_slices(SHAPE, affine_of("RAS", (0.5, 0.75, 3.0)))
    assert (slicing.pixel_spacing_mm, slicing.slice_spacing_mm) == ((0.75, 0.5), 3.0)


def test_color_stays_the_last_axis() -> None:
    voxels = np.zeros((7, 5, 1, 3), dtype=np.uint8)
    voxels[2, 4, 0] = (1, 2, 3)
    slicing = plan_slices((7, 5, 1), np.diag([-1.0, -1.0, 1.0, 1.0]))
    stack = slicing.to_stack(voxels)
    assert stack.shape == (1, 5, 7, 3)
    assert stack[0, 4, 2].tolist() == [1, 2, 3]


def test_another_shape_is_refused() -> None:
    slicing = plan_slices(SHAPE, np.eye(4))
    with pytest.raises(GeometryMismatchError, match="The volume has shape"):
        slicing.to_stack(np.zeros((7, 11, 6)))
    with pytest.raises(GeometryMismatchError, match="The stack has shape"):
        slicing.from_stack(np.zeros((7, 11, 5)))


def test_an_unknown_axis_is_refused() -> None:
    with pytest.raises(VolumeError, match="There is no axis 3"):
        plan_slices(SHAPE, np.eye(4), 3)
