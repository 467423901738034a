"""Gold slices of several cases as one scan."""

from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image

from sammed.backbones.backbone import Backbone
from sammed.datasets.labeled_sets.labeled_set import Case, LabeledSet
from sammed.datasets.pseudo.gold_stack import GoldStack, stack_gold
from sammed.errors import AnnotationError
from sammed_volumes.formats import write_labels
from sammed_volumes.labels import default_label
from tests.conftest import MakePhantom


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., Case]:
    """`save(name, height, width, color=False)`: a picture with a bright label 1; its case."""

    def write(name: str, height: int = 40, width: int = 48, color: bool = False) -> Case:
        y, x = np.mgrid[:height, :width]
        mask = (x - width // 3) ** 2 + (y - height // 2) ** 2 <= 49
        gray = (mask * 150 + 40 + len(name)).astype(np.uint8)
        pixels = np.stack([gray, gray // 2, gray // 3], axis=2) if color else gray
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
        Image.fromarray(mask.astype(np.uint8)).save(tmp_path / f"{name}_label.png")
        return Case(name, tmp_path / f"{name}.png", tmp_path / f"{name}_label.png", "gold")

    return write


def make(*cases: Case) -> LabeledSet:
    return LabeledSet(Path(), (default_label(1), default_label(2)), cases)


def stacked(
    labeled_set: LabeledSet, backbone: Backbone, slices: int = 10, empty_slices: int = 2
) -> GoldStack:
    return stack_gold(labeled_set, backbone, slices=slices, empty_slices=empty_slices, seed=0)


def test_pictures_of_one_shape_are_stacked_as_they_are(
    save: Callable[..., Case], tiny_backbone: Backbone
) -> None:
    found = stacked(make(save("a"), save("bb", color=True)), tiny_backbone)
    assert found.scan.slicing.stack_shape == (2, 64, 64), "gray and color have no common shape"
    found = stacked(make(save("a"), save("bb")), tiny_backbone)
    assert found.scan.slicing.stack_shape == (2, 40, 48)
    assert [label.value for label in found.annotations.labels] == [1]
    for index in range(2):
        bright = found.scan.image(index) > 0.5
        np.testing.assert_array_equal(bright, found.annotations.masks[index] == 1)


def test_pictures_of_many_shapes_share_the_backbones_square(
    save: Callable[..., Case], tiny_backbone: Backbone
) -> None:
    found = stacked(make(save("a", 40, 80), save("bb", 90, 45, color=True)), tiny_backbone)
    assert found.scan.slicing.stack_shape == (2, 64, 64)
    for index, filled in enumerate(((32, 64), (64, 32))):
        image, mask = found.scan.image(index), found.annotations.masks[index] == 1
        assert not image[filled[0] :].any()
        assert not image[:, filled[1] :].any()
        brightest = image[..., 0] > 0.45
        assert (brightest & mask).sum() / (brightest | mask).sum() > 0.8
    assert found.scan.embeddings([0, 1]).shape == (2, 256, 16, 16)
    assert found.scan.digest != stacked(make(save("a", 40, 80)), tiny_backbone).scan.digest


def test_a_volume_gives_slices_of_every_label_and_empty_ones(
    tmp_path: Path, phantom: MakePhantom, tiny_backbone: Backbone
) -> None:
    made = phantom()
    nibabel.save(nibabel.Nifti1Image(made.volume.voxels, made.volume.affine_ras_mm), tmp_path / "a.nii.gz")
    write_labels(made.labels, tmp_path / "b.nii.gz", like=made.volume)
    case = Case("anna", tmp_path / "a.nii.gz", tmp_path / "b.nii.gz", "gold")
    found = stacked(LabeledSet(tmp_path, made.labels.labels, (case,)), tiny_backbone, slices=6)
    assert found.annotations.labels == made.labels.labels
    shown = found.annotations.masks.any(axis=(1, 2))
    assert shown.sum() == 6, "a slice with two labels is one slice"
    assert 0 < (~shown).sum() <= 2


def test_only_annotated_slices_of_a_partly_annotated_volume_are_taken(
    tmp_path: Path, phantom: MakePhantom, tiny_backbone: Backbone
) -> None:
    made = phantom()
    nibabel.save(nibabel.Nifti1Image(made.volume.voxels, made.volume.affine_ras_mm), tmp_path / "a.nii.gz")
    write_labels(made.labels, tmp_path / "b.nii.gz", like=made.volume)
    shown = np.flatnonzero(made.labels.voxels.any(axis=(0, 1))).tolist()
    slices = (shown[len(shown) // 2],)
    case = Case("anna", tmp_path / "a.nii.gz", tmp_path / "b.nii.gz", "gold", annotated_slices=slices, axis=2)
    found = stacked(LabeledSet(tmp_path, made.labels.labels, (case,)), tiny_backbone, slices=6)
    assert len(found.annotations.indices) == 1


def test_gold_that_teaches_nothing_is_refused(
    tmp_path: Path, save: Callable[..., Case], tiny_backbone: Backbone
) -> None:
    with pytest.raises(AnnotationError, match="no gold case"):
        stacked(make(), tiny_backbone)
    case = save("a")
    assert case.labels is not None
    Image.fromarray(np.zeros((40, 48), dtype=np.uint8)).save(case.labels)
    with pytest.raises(AnnotationError, match="shows a label"):
        stacked(make(case), tiny_backbone)
