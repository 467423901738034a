"""Lattices: labels stored with other axes, directions and extents lie on the image voxel by voxel."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sammed_volumes.affine import apply_affine
from sammed_volumes.errors import GeometryMismatchError
from sammed_volumes.formats import LABEL_SUFFIXES, read_labels, read_volume, write_labels
from sammed_volumes.grid import VoxelGrid
from sammed_volumes.labels import LabelVolume, complete_labels, default_label
from sammed_volumes.lattice import find_map, lattice_difference, reorientation
from sammed_volumes.placing import fit, labels_on
from sammed_volumes.volume import Volume

SHAPE = (7, 11, 5)
Reorient = Callable[..., tuple[np.ndarray, np.ndarray]]


def turned(degrees: float) -> np.ndarray:
    """Rotation about a skew axis, by Rodrigues' formula."""
    axis = np.array([1.0, 2.0, 3.0]) / np.sqrt(14)
    cross = np.cross(np.eye(3), axis)
    angle = np.radians(degrees)
    rotation: np.ndarray = np.eye(3) - np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    return rotation


def affine_of(
    degrees: float = 0.0,
    spacing: tuple[float, ...] = (0.7, 0.8, 2.5),
    origin: tuple[float, ...] = (-90.0, 40.0, 12.5),
) -> np.ndarray:
    affine = np.eye(4)
    affine[:3, :3] = turned(degrees) * spacing
    affine[:3, 3] = origin
    return affine


@pytest.fixture(params=[0.0, 12.0], ids=["straight", "oblique"])
def image(request: pytest.FixtureRequest) -> Volume:
    return Volume(np.zeros(SHAPE, np.int16), affine_of(request.param), path=Path("image.nii.gz"))


def labels_of(voxels: np.ndarray, affine: np.ndarray) -> LabelVolume:
    return LabelVolume(voxels, affine, complete_labels(voxels, ()), Path("marks.nii.gz"))


@pytest.fixture
def voxels() -> np.ndarray:
    """Labels in the inner voxels; no two are alike, so that each has to be in its very place."""
    made = np.zeros(SHAPE, np.uint16)
    made[2:6, 3:9, 1:4] = np.arange(1, 4 * 6 * 3 + 1).reshape(4, 6, 3)
    return made


def cropped(voxels: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    moved = affine.copy()
    moved[:3, 3] = apply_affine(affine, np.array([2, 3, 1]))
    return voxels[2:6, 3:9, 1:4], moved


def on_a_canvas(voxels: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    moved = affine.copy()
    moved[:3, 3] = apply_affine(affine, np.array([-4, -1, -3]))
    return np.pad(voxels, [(4, 2), (1, 0), (3, 5)]), moved


def half_out(voxels: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cropped on one side and with a margin on the other."""
    moved = affine.copy()
    moved[:3, 3] = apply_affine(affine, np.array([2, -2, 0]))
    return np.pad(voxels[2:], [(0, 3), (2, 0), (0, 0)]), moved


def whole(voxels: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return voxels, affine


EXTENTS = [whole, cropped, on_a_canvas, half_out]
SAID = {
    cropped: "covers 4 x 6 x 3 of the 7 x 11 x 5 voxels of image.nii.gz, from voxel (2, 3, 1) on; ",
    on_a_canvas: "its 13 x 12 x 13 voxels are cut to the 7 x 11 x 5 of image.nii.gz.",
    half_out: "covers 5 x 11 x 5 of the 7 x 11 x 5 voxels of image.nii.gz, from voxel (2, 0, 0) on; ",
}


@pytest.mark.parametrize("extent", EXTENTS)
def test_every_orientation_and_extent_gives_the_same_voxels(
    image: Volume,
    voxels: np.ndarray,
    extent: Callable[..., tuple[np.ndarray, np.ndarray]],
    axcodes: str,
    reorient: Reorient,
) -> None:
    stored, affine = reorient(*extent(voxels, image.affine_ras_mm), axcodes)
    said: list[str] = []
    placed = labels_on(image, labels_of(stored, affine), report=said.append)
    np.testing.assert_array_equal(placed.voxels, voxels)
    assert placed.grid.is_like(image.grid)
    assert placed.path == Path("marks.nii.gz")
    assert len(said) == (extent in SAID)
    assert SAID.get(extent, "") in "".join(said)


def test_a_crop_with_the_origin_of_the_image_is_said(image: Volume) -> None:
    """Its affine is that of the image, so that nothing else tells it from a mask of the whole image."""
    said: list[str] = []
    labels_on(image, labels_of(np.ones((3, 4, 5), np.uint8), image.affine_ras_mm), report=said.append)
    part = "it covers 3 x 4 x 5 of the 7 x 11 x 5 voxels of image.nii.gz, from voxel (0, 0, 0) on"
    assert said == [f"marks.nii.gz: {part}; the rest is background."]


@pytest.mark.parametrize("suffix", LABEL_SUFFIXES)
@pytest.mark.parametrize("extent", EXTENTS)
@pytest.mark.parametrize("codes", ["LPS", "RAS", "PIR", "ASL", "SLA", "IRP"])
def test_every_format_keeps_the_lattice(
    image: Volume,
    voxels: np.ndarray,
    extent: Callable[..., tuple[np.ndarray, np.ndarray]],
    codes: str,
    reorient: Reorient,
    suffix: str,
    tmp_path: Path,
) -> None:
    stored, affine = reorient(*extent(voxels, image.affine_ras_mm), codes)
    own = Volume(stored, affine)
    path = tmp_path / f"marks{suffix}"
    write_labels(labels_of(stored, affine), path, like=own)
    np.testing.assert_array_equal(labels_on(image, read_labels(path)).voxels, voxels)


def test_the_same_grid_stays_the_same_object(image: Volume, voxels: np.ndarray) -> None:
    affine = image.affine_ras_mm.copy()
    affine[0, 3] += 0.03 * 0.7  # more than a lattice may be off, less than the same grid may
    labels = labels_of(voxels, affine)
    assert labels_on(image, labels) is labels
    assert fit(image.grid, labels).is_same


def test_rounding_in_a_large_volume_is_no_difference(tmp_path: Path) -> None:
    """NIfTI keeps affines as float32: 500 voxels far from the origin are still on the lattice."""
    shape, affine = (500, 500, 3), affine_of(23.0, (0.7324219, 0.7324219, 1.25), (-871.3, 943.7, -1204.9))
    image = Volume(np.zeros(shape, np.uint8), affine)
    stored, flipped = np.zeros(shape, np.uint8), affine.copy()
    stored[3, 5, 1] = 1
    flipped[:3, 0] *= -1
    flipped[:3, 3] = apply_affine(affine, np.array([499, 0, 0]))
    write_labels(labels_of(stored, flipped), tmp_path / "a.nii", like=Volume(stored, flipped))
    placed = labels_on(image, read_labels(tmp_path / "a.nii"))
    assert np.argwhere(placed.voxels).tolist() == [[496, 5, 1]]


@pytest.mark.parametrize(
    ("change", "phrase"),
    [
        pytest.param(
            lambda a: shifted(a, 0.5), "the voxel centers are up to 0.35 mm apart", id="half a voxel"
        ),
        pytest.param(
            lambda a: shifted(a, 0.002), "the voxel centers are up to 0.0014 mm", id="too much for rounding"
        ),
        pytest.param(
            lambda a: affine_of(0.0, (0.7, 0.7, 2.5)),
            "the spacing differs (0.7 x 0.7 x 2.5 against",
            id="spacing",
        ),
        pytest.param(lambda a: affine_of(3.0), "the axes are turned by", id="turned"),
    ],
)
def test_another_lattice_is_refused_in_a_short_phrase(
    change: Callable[[np.ndarray], np.ndarray],
    phrase: str,
    axcodes: str,
    reorient: Reorient,
    voxels: np.ndarray,
) -> None:
    image = Volume(np.zeros(SHAPE, np.int16), affine_of(), path=Path("image.nii.gz"))
    stored, affine = reorient(*cropped(voxels, change(image.affine_ras_mm)), axcodes)
    with pytest.raises(GeometryMismatchError) as error:
        labels_on(image, labels_of(stored, affine))
    text = str(error.value)
    assert text.startswith("marks.nii.gz is not on the grid of image.nii.gz: ")
    assert phrase in text
    assert "--resample" in text
    assert "[[" not in text
    assert "affine [[" in error.value.details


def shifted(affine: np.ndarray, voxels: float) -> np.ndarray:
    moved = affine.copy()
    moved[:3, 3] += voxels * affine[:3, 0]
    return moved


def test_what_lies_outside_is_reported_by_label(image: Volume) -> None:
    stored = np.zeros((9, 11, 5), np.uint8)
    stored[5:9, 0, 0] = 1  # two of four voxels are outside
    stored[6:8, 1, 1] = 2
    said: list[str] = []
    placed = labels_on(image, labels_of(stored, image.affine_ras_mm), report=said.append)
    assert placed.voxel_counts() == {1: 2, 2: 1}
    assert said == [
        "marks.nii.gz: its 9 x 11 x 5 voxels are cut to the 7 x 11 x 5 of image.nii.gz.",
        "marks.nii.gz: 3 labeled voxels are outside image.nii.gz and are left out (label_1: 2, label_2: 1).",
    ]


def test_by_default_the_log_says_what_lies_outside(image: Volume, caplog: pytest.LogCaptureFixture) -> None:
    stored = np.ones((7, 12, 5), np.uint8)
    labels_on(image, labels_of(stored, image.affine_ras_mm))
    assert "35 labeled voxels are outside" in caplog.text


@pytest.mark.parametrize("distance", [7, 1000])
def test_a_label_that_is_all_outside_is_refused(image: Volume, distance: int) -> None:
    stored = np.zeros((12, 11, 5), np.uint8)
    stored[8:10, 0, :3] = 2
    stored[0, 0, 0] = 1
    moved = shifted(image.affine_ras_mm, distance - 7)
    fact = "all 6 voxels of the label 'label_2'" if distance == 7 else "all 1 voxels of the label 'label_1'"
    with pytest.raises(GeometryMismatchError, match=f"{fact} are outside image.nii.gz"):
        labels_on(image, labels_of(stored, moved))


def test_a_label_without_voxels_may_be_anywhere(image: Volume) -> None:
    labels = LabelVolume(np.zeros((3, 4, 5), np.uint8), image.affine_ras_mm, (default_label(1),))
    placed = labels_on(image, labels)
    assert placed.shape == SHAPE
    assert placed.labels == labels.labels


@pytest.mark.parametrize("affine", [np.eye(4), np.diag([-1.0, -1.0, 1.0, 1.0])], ids=["identity", "picture"])
@pytest.mark.parametrize("resample", [False, True])
def test_a_smaller_mask_without_a_position_is_no_crop(affine: np.ndarray, resample: bool) -> None:
    """Nobody knows whether such a mask was cropped or scaled down."""
    image = Volume(np.zeros((64, 64, 1), np.uint8), affine)
    labels = labels_of(np.ones((32, 32, 1), np.uint8), affine)
    with pytest.raises(
        GeometryMismatchError,
        match=r"the shapes differ .*no position of its own; save the",
    ):
        labels_on(image, labels, resample=resample)


@pytest.mark.parametrize("resample", [False, True])
def test_an_array_saved_without_a_position_is_not_shifted(resample: bool) -> None:
    """The lattice of an image in whole millimeters holds every voxel of such an array, at wrong places."""
    image = Volume(np.zeros((64, 64, 20), np.uint8), affine_of(0.0, (1, 1, 1), (-20, -30, -5)))
    labels = labels_of(np.ones((64, 64, 20), np.uint8), np.eye(4))
    with pytest.raises(GeometryMismatchError, match="the volume: it has no position of its own; save"):
        labels_on(image, labels, resample=resample)


def test_labels_turned_or_cropped_from_an_array_without_a_position_fit(
    axcodes: str, reorient: Reorient, voxels: np.ndarray
) -> None:
    image = Volume(np.zeros(SHAPE, np.uint8), np.eye(4))
    for extent in EXTENTS:
        stored, affine = reorient(*extent(voxels, image.affine_ras_mm), axcodes)
        np.testing.assert_array_equal(labels_on(image, labels_of(stored, affine)).voxels, voxels)


def test_a_nifti_without_sform_and_qform_has_no_position(tmp_path: Path) -> None:
    import nibabel

    for name, shape in (("image", (64, 64, 10)), ("mask", (32, 32, 10))):
        header = nibabel.Nifti1Header()
        header.set_data_shape(shape)
        header.set_zooms((0.8, 0.8, 3.0))
        nibabel.save(nibabel.Nifti1Image(np.ones(shape, np.uint8), None, header), tmp_path / f"{name}.nii")
    image, mask = read_volume(tmp_path / "image.nii"), read_labels(tmp_path / "mask.nii")
    with pytest.raises(GeometryMismatchError, match="has no position of its own"):
        labels_on(image, mask)


def test_slices_are_mapped_with_the_voxels(
    image: Volume, axcodes: str, reorient: Reorient, voxels: np.ndarray
) -> None:
    stored, affine = reorient(*on_a_canvas(voxels, image.affine_ras_mm), axcodes)
    found = find_map(image.grid, VoxelGrid(stored.shape, affine))
    assert found is not None
    for axis in range(3):
        shown = np.flatnonzero(stored.any(axis=tuple({0, 1, 2} - {axis})))
        for index in shown.tolist():
            image_axis, (mapped,) = found.slices(axis, [index])
            np.testing.assert_array_equal(
                np.unique(np.take(stored, index, axis)), np.unique(np.take(voxels, mapped, image_axis))
            )
        assert len(found.slices(axis, range(stored.shape[axis]))[1]) == SHAPE[found.axes.index(axis)]


def test_reorientation_is_that_of_nibabel(
    axcodes: str, reorient: Reorient, image: Volume, voxels: np.ndarray
) -> None:
    stored, affine = reorient(voxels, image.affine_ras_mm, axcodes)
    found, grid = reorientation(VoxelGrid(SHAPE, image.affine_ras_mm), axcodes)
    np.testing.assert_array_equal(found.place(voxels), stored)
    np.testing.assert_allclose(grid.affine_ras_mm, affine, atol=1e-9)


@pytest.mark.parametrize("codes", ["", "RA", "RAR", "RLS", "XYZ", "RASI"])
def test_codes_of_no_orientation_are_refused(codes: str, image: Volume) -> None:
    with pytest.raises(ValueError, match=f"^{codes}$"):
        reorientation(image.grid, codes)


def test_a_single_slice_has_no_spacing_across(image: Volume) -> None:
    """A slice that some program saved alone, with a thickness of its own, still lies on its slice."""
    affine = image.affine_ras_mm.copy()
    affine[:3, 3] = apply_affine(affine, np.array([0, 0, 3]))
    affine[:3, 2] /= 2.5
    stored = np.ones((7, 11, 1), np.uint8)
    placed = labels_on(image, labels_of(stored, affine))
    assert np.flatnonzero(placed.voxels.any(axis=(0, 1))).tolist() == [3]


def test_the_phrase_names_the_spacing_in_the_order_of_the_image() -> None:
    image = VoxelGrid(SHAPE, affine_of())
    labels = VoxelGrid((5, 11, 7), affine_of(0.0, (0.7, 0.8, 3.0))[:, [2, 1, 0, 3]])
    assert (
        lattice_difference(image, labels) == "the spacing differs (0.7 x 0.8 x 3 against 0.7 x 0.8 x 2.5 mm)"
    )
