"""Opening checks volumes and labels; an error names the file."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest

from sammed.backbones.backbone import Backbone
from sammed.embeddings.opening import open_labels, open_volume
from sammed.embeddings.scan import open_scan
from sammed.errors import AnnotationError, SkillError, naming
from sammed.progress import Silent
from sammed_volumes.errors import GeometryMismatchError, VolumeError
from sammed_volumes.formats import read_volume, write_labels
from sammed_volumes.intensity import Window
from tests.conftest import Phantom
from tests.sammed.conftest import Case, Notes


def test_values_that_are_no_numbers_are_counted(case: Case, notes: Notes) -> None:
    image = nibabel.Nifti1Image.from_filename(case.image)
    voxels = np.asarray(image.dataobj, dtype=np.float32)
    voxels[3, 4, 5], voxels[0, 0, 0] = np.nan, -np.inf
    nibabel.save(nibabel.Nifti1Image(voxels, image.affine), case.image)
    volume = open_volume(case.image, None, notes)
    (message,) = notes.messages
    assert message.startswith(f"{case.image}: 2 values are NaN or infinite")
    assert volume.values(volume.voxels[3, 4, 5:6]) == [volume.background]


@pytest.mark.parametrize("value", [-1000, 0, 7])
def test_a_constant_volume_shows_nothing(tmp_path: Path, value: int) -> None:
    path = tmp_path / "flat.nii.gz"
    nibabel.save(nibabel.Nifti1Image(np.full((5, 6, 7), value, np.int16), np.eye(4)), path)
    with pytest.raises(VolumeError, match="every voxel has the same value") as raised:
        open_volume(path, None, Silent())
    assert str(path) in str(raised.value)


def test_empty_labels(case: Case, phantom: Callable[..., Phantom]) -> None:
    made = phantom()
    nothing = replace(made.labels, voxels=np.zeros_like(made.labels.voxels))
    write_labels(nothing, case.labels, like=made.volume, overwrite=True)
    with pytest.raises(VolumeError, match="no voxel has a label") as raised:
        open_labels(case.labels, read_volume(case.image), flatten=False)
    assert str(case.labels) in str(raised.value)


def test_labels_on_another_grid(case: Case, tmp_path: Path, phantom: Callable[..., Phantom]) -> None:
    made = phantom(shape=(41, 37, 12))
    write_labels(made.labels, tmp_path / "other.nii.gz", like=made.volume)
    with pytest.raises(GeometryMismatchError) as raised:
        open_labels(tmp_path / "other.nii.gz", read_volume(case.image), flatten=False)
    said = raised.value.details
    assert "41 x 37 x 12" in said
    assert "41 x 37 x 13" in said
    assert said.count("affine") == 2
    assert "voxel centers are up to 2.5 mm apart" in str(raised.value)


def test_a_window_that_shows_nothing(phantom: Callable[..., Phantom], tiny_backbone: Backbone) -> None:
    made = phantom(noise=0).volume
    flat = replace(made, voxels=np.where(made.voxels == 0, 0, -1000).astype(np.int16))
    with pytest.raises(VolumeError, match="shows nothing of it"):
        open_scan(flat, tiny_backbone, window=Window(10.0, 10.00001, "percentile"))


def test_an_error_names_its_file_once(tmp_path: Path) -> None:
    with pytest.raises(SkillError, match=f"^{tmp_path}: It has no generator.$"), naming(tmp_path):
        raise SkillError("It has no generator.")
    with pytest.raises(AnnotationError, match=f"^{tmp_path} is empty.$"), naming(tmp_path):
        raise AnnotationError(f"{tmp_path} is empty.")
