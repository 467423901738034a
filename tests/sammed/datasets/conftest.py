"""Folders of images and label volumes as a user has them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
import pytest

from sammed.datasets.labeled_sets.pictures import Picture
from sammed_volumes.formats import read_volume, write_labels
from sammed_volumes.labels import LabelVolume
from tests.conftest import MakePhantom, Phantom


@dataclass(frozen=True)
class Folders:
    """`images/` and `labels/`, and the phantoms that were written to them, by file stem."""

    images: Path
    labels: Path
    phantoms: dict[str, Phantom]


def write_image(path: Path, values: np.ndarray, affine: np.ndarray) -> Path:
    image = nibabel.Nifti1Image(values, affine)
    image.header.set_xyzt_units("mm")
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(image, path)
    return path


def save_mask(path: Path, labels: LabelVolume, image: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_labels(labels, path, like=read_volume(image))
    return path


def labels_of(picture: Picture) -> np.ndarray:
    """The labels H W of a picture that somebody labeled."""
    assert picture.labels is not None, f"{picture.case}: nobody labeled slice {picture.index}"
    return picture.labels


@pytest.fixture
def make_folders(tmp_path: Path, phantom: MakePhantom) -> Callable[..., Folders]:
    """`make_folders("a", "b", ...)`: a CT and its labels for each stem, each with noise of its own."""

    def make(*stems: str, ending: str = ".nii.gz", name: str = "") -> Folders:
        images, labels = tmp_path / name / "images", tmp_path / name / "labels"
        phantoms = {}
        for seed, stem in enumerate(stems):
            made = phantom(shape=(23, 19, 11), seed=len(name) * 100 + seed)
            image = write_image(images / f"{stem}{ending}", made.volume.voxels, made.volume.affine_ras_mm)
            save_mask(labels / f"{stem}.nii.gz", made.labels, image)
            phantoms[stem] = made
        return Folders(images, labels, phantoms)

    return make
