"""Images of a data set: the source as it is, or the same values in another format."""

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import SimpleITK
from PIL import Image

from sammed.datasets.export.dataset import DataSet
from sammed.datasets.export.images import real_values
from sammed.datasets.labeled_sets.labeled_set import Case
from sammed.errors import ExportError
from sammed_volumes.volume import Volume
from tests.conftest import MakePhantom
from tests.sammed.datasets.conftest import Folders


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def convert(source: Path, target: Path) -> Path:
    SimpleITK.WriteImage(SimpleITK.ReadImage(str(source)), str(target))
    return target


@pytest.mark.parametrize("ending", [".nrrd", ".mha"])
def test_an_ending_that_all_images_share_is_kept(
    make_folders: Callable[..., Folders],
    tmp_path: Path,
    gold: Callable[..., list[Case]],
    export: Callable[..., DataSet],
    faults: Callable[[Path], list[str]],
    ending: str,
) -> None:
    cases = [
        replace(case, image=convert(case.image, tmp_path / (case.image.name[0] + ending)))
        for case in gold(make_folders("a", "b"))
    ]
    done = export(cases)
    assert done.file_ending == ending
    assert faults(done.folder) == []
    assert (done.folder / "imagesTr" / f"a_0000{ending}").read_bytes() == cases[0].image.read_bytes()


@pytest.mark.parametrize("wanted", [None, ".nii.gz", ".nrrd", ".mha"])
def test_mixed_formats_become_one(
    make_folders: Callable[..., Folders],
    tmp_path: Path,
    phantom: MakePhantom,
    gold: Callable[..., list[Case]],
    export: Callable[..., DataSet],
    voxels: Callable[[Path], np.ndarray],
    faults: Callable[[Path], list[str]],
    wanted: Any,
) -> None:
    folders = make_folders("a", "b", "c", "d")
    cases = gold(folders)
    cases[1] = replace(cases[1], image=convert(cases[1].image, tmp_path / "b.nrrd"))
    cases[2] = replace(cases[2], image=convert(cases[2].image, tmp_path / "c.mha"))
    plain = tmp_path / "d.nii"
    plain.write_bytes(gzip.decompress(cases[3].image.read_bytes()))
    cases[3] = replace(cases[3], image=plain)
    done = export(cases, file_ending=wanted)
    assert done.file_ending == (wanted or ".nii.gz")
    assert faults(done.folder) == []
    for name, made in folders.phantoms.items():
        path = done.folder / "imagesTr" / f"{name}_0000{done.file_ending}"
        assert np.array_equal(voxels(path), made.volume.voxels)
        image = SimpleITK.ReadImage(str(path))
        source = SimpleITK.ReadImage(str(folders.images / f"{name}.nii.gz"))
        assert np.allclose(image.GetOrigin(), source.GetOrigin(), atol=1e-4)
        assert np.allclose(image.GetDirection(), source.GetDirection(), atol=1e-6)


def rewrite(
    path: Path, change: Callable[[np.ndarray], np.ndarray], dtype: type[np.generic] | None = None
) -> None:
    image = nibabel.Nifti1Image.from_filename(path)
    values = change(np.asarray(image.dataobj).astype(dtype or np.float32))
    nibabel.save(nibabel.Nifti1Image(values, image.affine), path)


def test_nan_and_infinity_become_the_background(
    make_folders: Callable[..., Folders],
    gold: Callable[..., list[Case]],
    export: Callable[..., DataSet],
    voxels: Callable[[Path], np.ndarray],
    faults: Callable[[Path], list[str]],
) -> None:
    folders = make_folders("a")
    path = folders.images / "a.nii.gz"

    def spoil(values: np.ndarray) -> np.ndarray:
        values[0, 0, :3] = np.nan, np.inf, -np.inf
        return values

    rewrite(path, spoil)
    folder = export(gold(folders)).folder
    assert faults(folder) == []
    written = voxels(folder / "imagesTr" / "a_0000.nii.gz")
    source = np.asarray(nibabel.Nifti1Image.from_filename(path).dataobj)
    assert np.array_equal(written[1:], source[1:])
    assert (written[0, 0, :3] == source[np.isfinite(source)].min()).all()


def test_a_fourth_axis_of_one_is_dropped(
    make_folders: Callable[..., Folders],
    gold: Callable[..., list[Case]],
    export: Callable[..., DataSet],
    voxels: Callable[[Path], np.ndarray],
    faults: Callable[[Path], list[str]],
) -> None:
    folders = make_folders("a")
    rewrite(folders.images / "a.nii.gz", lambda values: values[..., None], np.int16)
    folder = export(gold(folders)).folder
    assert faults(folder) == []
    assert np.array_equal(voxels(folder / "imagesTr" / "a_0000.nii.gz"), folders.phantoms["a"].volume.voxels)


def test_color_pictures_become_three_channels(
    tmp_path: Path,
    export: Callable[..., DataSet],
    voxels: Callable[[Path], np.ndarray],
    faults: Callable[[Path], list[str]],
) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (20, 30, 3)).astype(np.uint8)
    masks = np.zeros((20, 30), np.uint8)
    masks[3:9, 4:20] = 1
    for folder, array in (("images", pixels), ("labels", masks)):
        (tmp_path / folder).mkdir()
        Image.fromarray(array).save(tmp_path / folder / "skin.png")
    case = Case("skin", tmp_path / "images" / "skin.png", tmp_path / "labels" / "skin.png", "gold")
    done = export([case])
    assert faults(done.folder) == []
    assert read_json(done.folder / "dataset.json")["channel_names"] == {"0": "red", "1": "green", "2": "blue"}
    written = np.stack([voxels(done.folder / "imagesTr" / f"skin_{c:04d}.nii.gz") for c in range(3)], axis=-1)
    assert sorted(map(tuple, written.reshape(-1, 3))) == sorted(map(tuple, pixels.reshape(-1, 3)))


def test_modality_is_what_the_images_say(
    make_folders: Callable[..., Folders], gold: Callable[..., list[Case]], export: Callable[..., DataSet]
) -> None:
    folders = make_folders("a", "b")
    rewrite(folders.images / "b.nii.gz", np.abs, np.int16)
    with pytest.raises(ExportError, match=r"b\.nii\.gz, don't; specify the modality"):
        export(gold(folders))
    done = export(gold(folders), modality="CT")
    assert read_json(done.folder / "dataset.json")["channel_names"] == {"0": "CT"}
    rewrite(folders.images / "a.nii.gz", np.abs, np.int16)
    done = export(gold(folders), overwrite=True)
    assert read_json(done.folder / "dataset.json")["channel_names"] == {"0": "image"}


@pytest.mark.parametrize(
    ("stored", "slope", "intercept", "kind"),
    [
        (np.array([0, 3000], ">i2"), 1.0, 0.0, np.int16),  # as it is, whatever the byte order
        (np.array([0, 4095], "u2"), 1.0, -1024.0, np.int16),  # CT as scanners store it
        (np.array([0, 100], "u1"), -2.0, 0.0, np.int16),
        (np.array([0, 70_000], "i4"), 2.0, 1.0, np.int32),
        (np.array([0, 2**31], "u4"), 2.0, 0.0, np.float32),  # too large for 32 bits
        (np.array([0, 200], "i8"), 1.0, 0.0, np.uint8),
        (np.array([0, 200], "u1"), 0.5, 0.0, np.float32),
        (np.array([0.25, 7], "f8"), 1.0, 0.0, np.float32),
    ],
)
def test_values_are_kept_in_a_type_that_other_tools_read(
    stored: np.ndarray, slope: float, intercept: float, kind: type[np.generic]
) -> None:
    volume = Volume(stored.reshape(2, 1, 1), np.eye(4), slope=slope, intercept=intercept)
    values = real_values(volume)
    assert values.dtype.newbyteorder("=") == kind
    assert np.array_equal(values.ravel(), stored.astype(np.float64) * slope + intercept)
