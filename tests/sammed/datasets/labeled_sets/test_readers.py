"""Readers: folders of pairs, nnU-Net's raw format, MONAI's data lists."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sammed.datasets.labeled_sets.folder_reader import gather_pairs
from sammed.datasets.labeled_sets.monai_reader import gather_monai
from sammed.datasets.labeled_sets.nnunet_reader import gather_nnunet
from sammed.errors import ExportError, SetError
from sammed.storage.fingerprint import sha256_of
from sammed.storage.provenance import Provenance
from tests.provenance_writing import write_provenance


def test_images_and_masks_are_paired_by_their_stems(
    tmp_path: Path, save_disc: Callable[..., np.ndarray]
) -> None:
    save_disc(tmp_path / "images/b.png", tmp_path / "masks/b.png")
    save_disc(tmp_path / "images/a.png", tmp_path / "masks/a_label.png")
    save_disc(tmp_path / "images/c.png")
    found = gather_pairs(tmp_path / "images", tmp_path / "masks")
    assert [(case.name, case.origin) for case in found.cases] == [("a", "gold"), ("b", "gold"), ("c", "none")]
    assert found.cases[0].labels == tmp_path / "masks/a_label.png"


def test_a_mask_without_an_image_is_refused(tmp_path: Path, save_disc: Callable[..., np.ndarray]) -> None:
    save_disc(tmp_path / "images/a.png", tmp_path / "masks/zoe.png")
    with pytest.raises(ExportError, match=r"zoe\.png"):
        gather_pairs(tmp_path / "images", tmp_path / "masks")


def test_labels_of_a_machine_say_so(tmp_path: Path, save_phantom: Callable[..., None]) -> None:
    image, label = tmp_path / "images/a.nii.gz", tmp_path / "labels/a_label.nii.gz"
    save_phantom(image, label)
    provenance = Provenance(
        image.name,
        sha256_of(image),
        "pseudo",
        axis=2,
        annotated_slices=(3,),
        method="sam_auto/sap",
        scores={"lung": 0.9, "heart": 0.5},
    )
    write_provenance(label, provenance)
    (case,) = gather_pairs(tmp_path / "images", tmp_path / "labels").cases
    assert (case.origin, case.annotated_slices) == ("sam_auto/sap", (3,))
    assert case.score == pytest.approx(sum(case.label_scores.values()) / len(case.label_scores))


def nnunet(folder: Path, labels: Any, **more: Any) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"labels": labels, "file_ending": ".nii.gz", **more})
    (folder / "dataset.json").write_text(text, encoding="utf-8")


def test_nnunet_version_2(tmp_path: Path, save_phantom: Callable[..., None]) -> None:
    save_phantom(tmp_path / "imagesTr/a_0000.nii.gz", tmp_path / "labelsTr/a.nii.gz")
    save_phantom(tmp_path / "imagesTr/a_0001.nii.gz")
    save_phantom(tmp_path / "imagesTs/b_0000.nii.gz")
    nnunet(tmp_path, {"background": 0, "liver": 1, "spleen": 2, "ignore": 3})
    found = gather_nnunet(tmp_path)
    assert [(label.value, label.name) for label in found.labels or ()] == [(1, "liver"), (2, "spleen")]
    assert found.ignore_value == 3
    assert [(case.name, case.origin) for case in found.cases] == [("a", "gold"), ("b", "none")]
    assert found.splits == {"b": "test"}
    assert gather_nnunet(tmp_path, channel=1).cases[0].image.name == "a_0001.nii.gz"


def test_nnunet_tells_of_missing_images_and_channels(
    tmp_path: Path, save_phantom: Callable[..., None]
) -> None:
    for name in ("a", "b", "c"):
        save_phantom(tmp_path / f"imagesTr/{name}_0000.nii.gz", tmp_path / f"labelsTr/{name}.nii.gz")
    for name in ("a", "c", "d"):
        save_phantom(tmp_path / f"imagesTr/{name}_0001.nii.gz")
    save_phantom(tmp_path / "imagesTs/e_0001.nii.gz", tmp_path / "labelsTr/f.nii.gz")
    nnunet(tmp_path, {"liver": 1}, channel_names={"0": "CT", "1": "PET"})
    found = gather_nnunet(tmp_path)
    assert [case.name for case in found.cases] == ["a", "c"]
    missing = {problem.case: problem.reason.removeprefix(f"{tmp_path}/") for problem in found.problems}
    assert missing == {
        "b": "imagesTr holds no b_0001.nii.gz.",
        "d": "imagesTr holds no d_0000.nii.gz.",
        "f": "imagesTr holds no f_0000.nii.gz and no f_0001.nii.gz.",
        "e": "imagesTs holds no e_0000.nii.gz.",
    }
    with pytest.raises(SetError, match=r"no complete case: .*imagesTr holds no a_0007\.nii\.gz\."):
        gather_nnunet(tmp_path, channel=7)


def test_the_decathlons_older_form(tmp_path: Path, save_phantom: Callable[..., None]) -> None:
    save_phantom(tmp_path / "imagesTr/a.nii.gz", tmp_path / "labelsTr/a.nii.gz")
    nnunet(tmp_path, {"0": "background", "1": "liver"})
    found = gather_nnunet(tmp_path)
    assert [label.name for label in found.labels or ()] == ["liver"]
    assert [case.name for case in found.cases] == ["a"]
    save_phantom(tmp_path / "imagesTr/b_0000.nii.gz", tmp_path / "labelsTr/b_0000.nii.gz")
    assert [case.is_gold for case in gather_nnunet(tmp_path).cases] == [True, True]
    (tmp_path / "imagesTr/a.nii.gz").rename(tmp_path / "imagesTr/c.nii.gz")
    (tmp_path / "imagesTr/b_0000.nii.gz").rename(tmp_path / "imagesTr/d.nii.gz")
    assert [problem.case for problem in gather_nnunet(tmp_path).problems] == ["a", "b_0000"]


@pytest.mark.parametrize(
    ("labels", "fact"),
    [
        ({"background": 0, "whole": [1, 2]}, "regions"),
        (["liver"], "no labels"),
        ({"liver": 1}, "have no"),
        ({"liver": None}, r"dataset\.json has a label whose value is no whole number"),
        ({"liver": 1.5}, r"dataset\.json has a label whose value is no whole number"),
        ({"liver": float("inf")}, r"dataset\.json has a label whose value is no whole number"),
        ({"liver": 10**400}, r"dataset\.json can't be used: .* has a value above 18446744073709551615"),
        ({"liver": -1}, r"dataset\.json can't be used: .* has the value -1; use 1 or more"),
    ],
)
def test_what_nnunet_says_and_we_cannot_use(tmp_path: Path, labels: Any, fact: str) -> None:
    nnunet(tmp_path, labels)
    with pytest.raises(SetError, match=fact):
        gather_nnunet(tmp_path)


def test_monais_data_list(tmp_path: Path) -> None:
    data = {
        "labels": {"0": "background", "1": "liver"},
        "training": [
            {"image": "./i/a.nii.gz", "label": "./l/a.nii.gz", "fold": 0},
            {"image": "./i/b.nii.gz", "label": "./l/b.nii.gz", "pseudo": True, "fold": 1},
        ],
        "test": ["./i/c.nii.gz"],
    }
    (tmp_path / "list.json").write_text(json.dumps(data), encoding="utf-8")
    found = gather_monai(tmp_path / "list.json", fold=0)
    assert [(case.name, case.origin) for case in found.cases] == [
        ("a", "gold"),
        ("b", "pseudo"),
        ("c", "none"),
    ]
    assert found.splits == {"a": "validation", "b": "train", "c": "test"}
    assert found.cases[0].image == tmp_path / "i/a.nii.gz"
    assert [label.name for label in found.labels or ()] == ["liver"]
    with pytest.raises(SetError, match=r"list\.json has no item of fold 7; its folds are 0, 1\."):
        gather_monai(tmp_path / "list.json", fold=7)


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("[]", "not a JSON object"),
        ("{", "is not JSON"),
        ("{}", "no case"),
        ('{"training": [{"image": ["a", "b"]}]}', "several"),
        ('{"training": null}', "'training' is not a list"),
        (
            f'{{"training": ["a.nii"], "labels": {{"{10**400}": "liver"}}}}',
            r"list\.json can't be used: .* above",
        ),
        (f'{{"training": ["a.nii"], "labels": {{"{"9" * 5000}": "x"}}}}', "no whole number"),
    ],
)
def test_what_is_no_data_list(tmp_path: Path, text: str, fact: str) -> None:
    (tmp_path / "list.json").write_text(text, encoding="utf-8")
    with pytest.raises(SetError, match=fact):
        gather_monai(tmp_path / "list.json")
