"""Slices: identities over all 48 orientations and three axes, and the canonical pose."""

import nibabel
import numpy as np
import pytest

from sammed_volumes.errors import GeometryMismatchError, VolumeError
from sammed_volumes.orientation import axis_of_plane
from sammed_volumes.slices import coarsest_axis, plan_slices

SHAPE = (7, 11, 5)
PLANES = ("axial", "coronal", "sagittal")

# What each stack must look like, as nibabel's codes of the direction that S, H and W run toward.
POSES = {"axial": "SPL", "coronal": "AIL", "sagittal": "LIP"}


def counted(shape=SHAPE):
    """An array in which every voxel is its own number."""
    return np.arange(np.prod(shape), dtype=np.int16).reshape(shape)


def affine_of(axcodes, spacing_mm=(1.0, 2.0, 3.0)):
    pairs = {"R": (0, 1), "L": (0, -1), "A": (1, 1), "P": (1, -1), "S": (2, 1), "I": (2, -1)}
    affine = np.zeros((4, 4))
    affine[3, 3] = 1
    for axis, code in enumerate(axcodes):
        affine[pairs[code][0], axis] = pairs[code][1] * spacing_mm[axis]
    affine[:3, 3] = (-30.0, 17.0, 250.5)
    return affine


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_stack_then_back_is_the_volume(axcodes, axis):
    voxels = counted()
    slicing = plan_slices(SHAPE, affine_of(axcodes), axis)
    stack = slicing.to_stack(voxels)
    assert stack.shape == slicing.stack_shape == (slicing.count, slicing.height, slicing.width)
    np.testing.assert_array_equal(slicing.from_stack(stack), voxels)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_neither_way_copies(axcodes, axis):
    voxels = counted()
    slicing = plan_slices(SHAPE, affine_of(axcodes), axis)
    stack = slicing.to_stack(voxels)
    assert np.shares_memory(stack, voxels)
    assert np.shares_memory(slicing.from_stack(stack), voxels)


@pytest.mark.parametrize("plane", PLANES)
def test_the_pose_is_the_canonical_one(axcodes, plane):
    """The stack equals what nibabel gives for the pose's own axis codes."""
    voxels, affine = counted(), affine_of(axcodes)
    slicing = plan_slices(SHAPE, affine, axis_of_plane(affine, plane))
    now = nibabel.orientations.io_orientation(affine)
    pose = nibabel.orientations.axcodes2ornt(POSES[plane])
    expected = nibabel.orientations.apply_orientation(voxels, nibabel.orientations.ornt_transform(now, pose))
    assert slicing.plane == plane
    np.testing.assert_array_equal(slicing.to_stack(voxels), expected)


@pytest.mark.parametrize("plane", PLANES)
def test_one_anatomy_gives_one_stack_however_it_is_stored(axcodes, plane, phantom, reorient):
    first = phantom().volume
    voxels, affine = reorient(first.voxels, first.affine_ras_mm, axcodes)
    expected = plan_slices(first.shape, first.affine_ras_mm, axis_of_plane(first.affine_ras_mm, plane))
    slicing = plan_slices(voxels.shape, affine, axis_of_plane(affine, plane))
    np.testing.assert_array_equal(slicing.to_stack(voxels), expected.to_stack(first.voxels))
    assert slicing.pixel_spacing_mm == expected.pixel_spacing_mm
    assert slicing.slice_spacing_mm == expected.slice_spacing_mm


@pytest.mark.parametrize("plane", PLANES)
def test_labels_built_from_one_stack_lie_at_the_same_millimeters(axcodes, plane, phantom, reorient):
    """A mask made on the stack and put back marks the same places in RAS millimeters in every orientation."""
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


def places(labels, affine):
    """Every labeled voxel as (x, y, z in micrometres, value)."""
    indices = np.argwhere(labels)
    mm = indices @ affine[:3, :3].T + affine[:3, 3]
    values = labels[tuple(indices.T)]
    return {
        (*row, value)
        for row, value in zip((mm * 1000).round().astype(int).tolist(), values.tolist(), strict=True)
    }


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_points_name_the_pixels_they_stand_on(axcodes, axis):
    voxels = counted()
    slicing = plan_slices(SHAPE, affine_of(axcodes), axis)
    stack = slicing.to_stack(voxels)
    s, y, x = (index.ravel() for index in np.indices(stack.shape))
    points = np.stack([s, x, y], axis=1).astype(float)
    i, j, k = slicing.points_to_voxels(points).astype(int).T
    np.testing.assert_array_equal(voxels[i, j, k], stack[s, y, x])


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_points_go_there_and_back(axcodes, axis):
    affine = affine_of(axcodes)
    slicing = plan_slices(SHAPE, affine, axis)
    points = np.random.default_rng(0).uniform(-2, 12, size=(13, 3))
    np.testing.assert_allclose(slicing.voxels_to_points(slicing.points_to_voxels(points)), points, atol=1e-9)
    np.testing.assert_allclose(
        slicing.mm_to_points(slicing.points_to_mm(points, affine), affine), points, atol=1e-9
    )


@pytest.mark.parametrize("plane", PLANES)
def test_points_in_mm_do_not_depend_on_the_storage(axcodes, plane, phantom, reorient):
    first = phantom().volume
    voxels, affine = reorient(first.voxels, first.affine_ras_mm, axcodes)
    point = np.array([[3.0, 5.5, 9.25]])
    expected = plan_slices(first.shape, first.affine_ras_mm, axis_of_plane(first.affine_ras_mm, plane))
    slicing = plan_slices(voxels.shape, affine, axis_of_plane(affine, plane))
    np.testing.assert_allclose(
        slicing.points_to_mm(point, affine), expected.points_to_mm(point, first.affine_ras_mm), atol=1e-9
    )


def test_indices_go_there_and_back(axcodes):
    voxels = counted()
    for axis in range(3):
        slicing = plan_slices(SHAPE, affine_of(axcodes), axis)
        for index in range(slicing.count):
            stack_index = slicing.stack_index(index)
            assert slicing.array_index(stack_index) == index
            assert set(slicing.to_stack(voxels)[stack_index].ravel()) == set(voxels.take(index, axis).ravel())


@pytest.mark.parametrize("index", [-1, 5])
def test_an_index_outside_is_refused(index):
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
def test_the_axis_by_default(shape, spacing_mm, axcodes, plane):
    assert plan_slices(shape, affine_of(axcodes, spacing_mm)).plane == plane


def test_the_default_axis_is_one_plane_for_all_storages(axcodes, phantom, reorient):
    isotropic = phantom(shape=(7, 11, 5), spacing_mm=(2, 2, 2)).volume
    voxels, affine = reorient(isotropic.voxels, isotropic.affine_ras_mm, axcodes)
    assert coarsest_axis(voxels.shape, affine) == axis_of_plane(affine, "axial")


def test_pixel_spacing_is_rows_then_columns():
    slicing = plan_slices(SHAPE, affine_of("RAS", (0.5, 0.75, 3.0)))
    assert (slicing.pixel_spacing_mm, slicing.slice_spacing_mm) == ((0.75, 0.5), 3.0)


def test_color_stays_last():
    voxels = np.zeros((7, 5, 1, 3), dtype=np.uint8)
    voxels[2, 4, 0] = (1, 2, 3)
    slicing = plan_slices((7, 5, 1), np.diag([-1.0, -1.0, 1.0, 1.0]))
    stack = slicing.to_stack(voxels)
    assert stack.shape == (1, 5, 7, 3)
    assert stack[0, 4, 2].tolist() == [1, 2, 3]


def test_another_shape_is_refused():
    slicing = plan_slices(SHAPE, np.eye(4))
    with pytest.raises(GeometryMismatchError, match="The volume has the shape"):
        slicing.to_stack(np.zeros((7, 11, 6)))
    with pytest.raises(GeometryMismatchError, match="The stack has the shape"):
        slicing.from_stack(np.zeros((7, 11, 5)))


def test_an_axis_that_is_not_there_is_refused():
    with pytest.raises(VolumeError, match="there is no axis 3"):
        plan_slices(SHAPE, np.eye(4), 3)
