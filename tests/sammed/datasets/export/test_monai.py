"""The MONAI datalist, read by MONAI itself."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from monai.data.decathlon_datalist import load_decathlon_datalist
from monai.transforms.io.dictionary import LoadImaged
from PIL import Image

from sammed.datasets.export.dataset import DataSet
from sammed.datasets.export.monai import export_monai
from sammed.datasets.labeled_sets.gathered import Gathered
from sammed.datasets.labeled_sets.labeled_set import Case
from sammed.datasets.labeled_sets.pairing import gather_cases
from sammed.errors import ExportError
from tests.sammed.datasets.conftest import Folders

# MONAI warns of a DICOM decoder for GPUs that can't be used; no DICOM is read here.
NO_DECODER = pytest.mark.filterwarnings("ignore:NvImgCodecPydicomReader:UserWarning")


@pytest.fixture
def done(make_folders: Callable[..., Folders], gold: Callable[..., list[Case]], tmp_path: Path) -> DataSet:
    """Three gold cases, one of them with two annotated slices, two pseudo cases, one test case."""
    folders, machine = make_folders("a", "b", "c"), make_folders("x", "y", name="m")
    cases = gold(folders)
    cases[0] = replace(cases[0], axis=2, annotated_slices=(4, 6))
    tests = gather_cases(make_folders("t", name="t").images, None)
    gathered = Gathered((*cases, *gold(machine, origin="pseudo"), *tests))
    return export_monai(gathered, tmp_path / "out", name="Chest", folds=2)


def test_datalist_says_it_all(done: DataSet) -> None:
    data = json.loads((done.folder / "datalist.json").read_text())
    assert data["labels"] == {"0": "background", "1": "lung", "2": "heart", "3": "tumour", "4": "ignore"}
    assert data["modality"] == {"0": "CT"}
    assert (data["numTraining"], data["numTest"]) == (5, 1)
    items = [(item["image"], item["label"], item["pseudo"], item.get("fold")) for item in data["training"]]
    assert items == [
        ("imagesTr/a.nii.gz", "labelsTr/a.nii.gz", False, 0),
        ("imagesTr/b.nii.gz", "labelsTr/b.nii.gz", False, 1),
        ("imagesTr/c.nii.gz", "labelsTr/c.nii.gz", False, 0),
        ("imagesTr/x.nii.gz", "labelsTr/x.nii.gz", True, None),
        ("imagesTr/y.nii.gz", "labelsTr/y.nii.gz", True, None),
    ]
    assert data["testing"] == [{"image": "imagesTs/t.nii.gz"}]
    assert (done.training, done.testing, done.folds) == (5, 1, 2)


@NO_DECODER
def test_monai_loads_every_item(done: DataSet) -> None:
    items = load_decathlon_datalist(done.folder / "datalist.json", True, "training")
    load = LoadImaged(keys=("image", "label"), image_only=True)
    for item in items:
        loaded = load(item)
        assert loaded["image"].shape == loaded["label"].shape == (23, 19, 11)
        assert np.allclose(loaded["image"].affine, loaded["label"].affine)
        assert set(np.unique(loaded["label"])) <= {0, 1, 2, 3, 4}
    sparse = np.asarray(load(items[0])["label"])
    assert (np.delete(sparse, (4, 6), axis=2) == 4).all()
    assert (sparse[..., [4, 6]] < 4).all()
    (test,) = load_decathlon_datalist(done.folder / "datalist.json", True, "testing")
    assert LoadImaged(keys="image", image_only=True)(test)["image"].shape == (23, 19, 11)


def test_folds_of_auto3dseg_keep_machine_labels_out_of_validation(done: DataSet) -> None:
    from monai.auto3dseg.utils import datafold_read

    for fold in range(done.folds):
        training, validation = datafold_read(str(done.folder / "datalist.json"), str(done.folder), fold)
        assert validation
        assert not any(item["pseudo"] for item in validation)
        assert len(training) + len(validation) == 5
        assert sum(item["pseudo"] for item in training) == 2


def test_manifest_is_that_of_every_data_set(done: DataSet) -> None:
    manifest = json.loads((done.folder / "manifest.json").read_text())
    assert manifest["format"] == "sammed-dataset"
    origins = [case["label"] and case["label"]["origin"] for case in manifest["cases"]]
    assert origins == ["gold", "gold", "gold", "pseudo", "pseudo", None]


@NO_DECODER
def test_channels_of_a_color_picture_are_a_list(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (20, 30, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "skin.png")
    Image.fromarray((pixels[..., 0] > 99).astype(np.uint8)).save(tmp_path / "mask.png")
    case = Case("skin", tmp_path / "skin.png", tmp_path / "mask.png", "gold")
    done = export_monai(Gathered((case,)), tmp_path / "out", name="Skin")
    (item,) = load_decathlon_datalist(done.folder / "datalist.json", True, "training")
    loaded = LoadImaged(keys=("image", "label"), image_only=True)(item)
    assert loaded["image"].shape == (3, *loaded["label"].shape)


def test_existing_folder_is_kept_unless_told_otherwise(
    make_folders: Callable[..., Folders], gold: Callable[..., list[Case]], tmp_path: Path
) -> None:
    cases = Gathered(tuple(gold(make_folders("a"))))
    out = tmp_path / "out"
    out.mkdir()
    export_monai(cases, out, name="x")  # an empty folder is no obstacle
    with pytest.raises(ExportError, match="already exists"):
        export_monai(cases, out, name="x")
    export_monai(cases, out, name="y", overwrite=True)
    assert json.loads((out / "datalist.json").read_text())["name"] == "y"
    with pytest.raises(ExportError, match="not a data set written by sammed"):
        export_monai(cases, tmp_path / "images", name="x", overwrite=True)
