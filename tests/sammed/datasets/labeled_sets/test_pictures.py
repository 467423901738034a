"""Cases as pictures: the canonical pose, what is known, and back on the case's own grid."""

from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image

from sammed.datasets.labeled_sets.labeled_set import Case, LabeledSet
from sammed.datasets.labeled_sets.pictures import from_pictures, open_case, pictures_of
from sammed.errors import SetError
from sammed_volumes.errors import VolumeError
from sammed_volumes.formats import read_labels
from sammed_volumes.labels import default_label
from tests.sammed.datasets.conftest import labels_of


@pytest.fixture
def volume_set(tmp_path: Path, save_phantom: Callable[..., None]) -> LabeledSet:
    save_phantom(tmp_path / "a.nii.gz", tmp_path / "b.nii.gz", axcodes="PIR")
    labels = read_labels(tmp_path / "b.nii.gz").labels
    return LabeledSet(tmp_path, labels, (Case("anna", Path("a.nii.gz"), Path("b.nii.gz"), "gold"),))


def test_a_volume_goes_to_pictures_and_back(volume_set: LabeledSet) -> None:
    case = volume_set.cases[0]
    opened = open_case(case, volume_set)
    assert opened.labels is not None
    pictures = list(pictures_of(case, volume_set))
    assert [picture.index for picture in pictures] == list(range(opened.slicing.count))
    assert all(picture.image.min() >= 0 and picture.image.max() <= 1 for picture in pictures)
    stack = np.stack([labels_of(picture) for picture in pictures])
    back = from_pictures(stack, opened, volume_set)
    np.testing.assert_array_equal(back.voxels, opened.labels.voxels)
    np.testing.assert_array_equal(back.affine_ras_mm, opened.volume.affine_ras_mm)
    np.testing.assert_array_equal(opened.on_grid(stack == 1), opened.labels.voxels == 1)


def test_a_colored_picture_keeps_its_three_channels(tmp_path: Path) -> None:
    pixels = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    labeled_set = LabeledSet(tmp_path, (), (Case("anna", Path("a.png")),))
    (picture,) = pictures_of(labeled_set.cases[0], labeled_set)
    np.testing.assert_allclose(picture.image, pixels / 255, atol=1e-6)
    assert picture.labels is None


def test_only_annotated_slices_of_a_partly_annotated_volume_are_known(
    tmp_path: Path, volume_set: LabeledSet
) -> None:
    axis = open_case(volume_set.cases[0], volume_set).slicing.axis
    case = Case("anna", Path("a.nii.gz"), Path("b.nii.gz"), "gold", annotated_slices=(2, 5), axis=axis)
    opened = open_case(case, volume_set)
    known = [picture.index for picture in pictures_of(case, volume_set) if picture.labels is not None]
    assert sorted(opened.slicing.array_index(index) for index in known) == [2, 5]


def test_ignored_voxels_and_the_ignore_value_are_ignored(
    tmp_path: Path, save_disc: Callable[..., np.ndarray]
) -> None:
    disc = save_disc(tmp_path / "a.png", tmp_path / "b.png")
    labels = disc.astype(np.uint8)
    labels[0] = 9
    Image.fromarray(labels).save(tmp_path / "b.png")
    ignore = np.zeros_like(labels)
    ignore[:, 0] = 1
    Image.fromarray(ignore).save(tmp_path / "i.png")
    case = Case("anna", Path("a.png"), Path("b.png"), "gold", ignore=Path("i.png"))
    labeled_set = LabeledSet(tmp_path, (default_label(1),), (case,), ignore_value=9)
    (picture,) = pictures_of(case, labeled_set)
    expected = np.zeros_like(disc)
    expected[0], expected[:, 0] = True, True
    np.testing.assert_array_equal(picture.ignore, expected)
    np.testing.assert_array_equal(labels_of(picture)[1:], disc[1:])
    assert not labels_of(picture)[0].any()


def test_a_label_that_is_not_listed_is_refused(tmp_path: Path, save_disc: Callable[..., np.ndarray]) -> None:
    save_disc(tmp_path / "a.png", tmp_path / "b.png", value=3)
    case = Case("anna", Path("a.png"), Path("b.png"), "gold")
    with pytest.raises(SetError, match="label 3, which the set does not list"):
        open_case(case, LabeledSet(tmp_path, (default_label(1),), (case,)))


def test_labels_on_another_grid_are_refused(tmp_path: Path, save_disc: Callable[..., np.ndarray]) -> None:
    save_disc(tmp_path / "a.png")
    Image.fromarray(np.ones((12, 10), dtype=np.uint8)).save(tmp_path / "b.png")
    case = Case("anna", Path("a.png"), Path("b.png"), "gold")
    with pytest.raises(VolumeError, match="not on the grid"):
        open_case(case, LabeledSet(tmp_path, (default_label(1),), (case,)))


def test_annotated_slices_outside_the_volume_are_refused(volume_set: LabeledSet) -> None:
    case = Case("anna", Path("a.nii.gz"), Path("b.nii.gz"), "gold", annotated_slices=(999,))
    with pytest.raises(SetError, match="slice 999"):
        open_case(case, volume_set)


def test_an_image_that_shows_nothing_is_refused(tmp_path: Path) -> None:
    nibabel.save(nibabel.Nifti1Image(np.ones((4, 5, 6), dtype=np.float32), np.eye(4)), tmp_path / "a.nii.gz")
    case = Case("anna", Path("a.nii.gz"))
    with pytest.raises(SetError, match="look alike"):
        open_case(case, LabeledSet(tmp_path, (), (case,)))
