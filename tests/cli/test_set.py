"""`sammed set`, `pseudo-label`, `student`: what is asked of the jobs, and the exit statuses."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from sammed.datasets.pseudo.methods import METHODS
from sammed.jobs.pseudo_label import PseudoLabelItem, PseudoLabelRequest, PseudoLabelResult, Status

if TYPE_CHECKING:
    from sammed.progress import Reporter
    from tests.cli.conftest import Sammed, StandIn


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    for number in range(4):
        y, x = np.mgrid[:20, :24]
        disc = (x - 8 - number) ** 2 + (y - 10) ** 2 <= 16
        for folder, pixels in (("images", 40 + 150 * disc), ("masks", disc)):
            (tmp_path / folder).mkdir(exist_ok=True)
            Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / folder / f"p{number}.png")
    return tmp_path


def test_a_set_is_made_split_and_described(sammed: Sammed, pictures: Path) -> None:
    run = sammed("set", "make", "images", "masks", "--output", "one", "--name", "1=disc", "--json")
    assert run.exit_code == 0
    assert run.json["labels"] == {"1": "disc"}
    assert run.json["cases"] == {"train": {"gold": 4}, "validation": {}, "test": {}}
    run = sammed("set", "split", "one", "--test", 1, "--keep-gold", 1, "--output", "two", "--json")
    assert run.json["cases"] == {"train": {"gold": 1, "none": 2}, "validation": {}, "test": {"gold": 1}}
    described = sammed("set", "info", "two", "--json")
    assert described.json["cases"] == run.json["cases"]
    assert ["train", "none", "2"] in sammed("set", "info", "two").rows


def test_bad_cases_are_listed_and_the_status_is_1(sammed: Sammed, pictures: Path) -> None:
    (pictures / "images/p1.png").write_bytes(b"no picture")
    run = sammed("set", "make", "images", "masks", "--output", "one", "--json")
    assert run.exit_code == 1
    (problem,) = run.json["problems"]
    assert problem["case"] == "p1"
    assert run.json["cases"]["train"] == {"gold": 3}
    again = sammed("set", "make", "images", "masks", "--output", "two")
    assert "it is text; copy or export it again" in again.stderr


def test_folders_below_are_in_the_set(sammed: Sammed, pictures: Path) -> None:
    for folder in ("images", "masks"):
        (pictures / folder / "sub dir ü").mkdir()
        (pictures / folder / "p3.png").rename(pictures / folder / "sub dir ü/pat 3 é.png")
    run = sammed("set", "make", "images", "masks", "--output", "one", "--json")
    assert (run.exit_code, run.json["cases"]["train"]) == (0, {"gold": 4})
    (pictures / "images/sub dir ü/pat 3 é.png").rename(pictures / "images/p3.png")
    run = sammed("set", "make", "images", "masks", "--output", "two")
    assert run.exit_code == 1
    assert "without an image: sub dir ü/pat 3 é.png" in run.sentence


def test_a_data_set_of_nnunet_with_a_missing_image(sammed: Sammed, pictures: Path) -> None:
    (pictures / "images").rename(pictures / "imagesTr")
    (pictures / "masks").rename(pictures / "labelsTr")
    for image in (pictures / "imagesTr").iterdir():
        image.rename(image.with_stem(f"{image.stem}_0000"))
    (pictures / "imagesTr/p1_0000.png").unlink()
    text = '{"labels": {"background": 0, "disc": 1}, "file_ending": ".png", "channel_names": {"0": "gray"}}'
    (pictures / "dataset.json").write_text(text, encoding="utf-8")
    run = sammed("set", "make", pictures, "--output", "one", "--json")
    assert (run.exit_code, run.json["cases"]["train"]) == (1, {"gold": 3})
    assert run.json["problems"] == [
        {"case": "p1", "reason": f"{pictures / 'imagesTr'} holds no p1_0000.png."}
    ]


@pytest.mark.parametrize(
    ("arguments", "fact"),
    [
        (("images", "masks", "--name", "255=disc"), "No label has the value 255"),
        (("empty",), "empty holds no image: no file that ends in"),
        (("empty", "masks"), "labels in masks without an image: p0.png"),
        (("images", "empty"), "No label volume holds a label"),
        (("images",), "No label volume holds a label"),
    ],
)
def test_where_no_set_is_made_nothing_is_written(
    sammed: Sammed, pictures: Path, arguments: tuple[str | int, ...], fact: str
) -> None:
    (pictures / "empty").mkdir()
    run = sammed("set", "make", *arguments, "--output", "one/two")
    assert run.exit_code == 1
    assert fact in run.sentence
    assert not (pictures / "one").exists()


@pytest.mark.parametrize(
    ("arguments", "fact"),
    [
        (("set", "make", "images", "--output", "one"), "No label volume holds a label"),
        (("set", "info", "none-there"), "does not exist"),
        (("set", "info", "images"), "no labeled set"),
        (("set", "split", "images", "--test", 1), "allow replacing images (--overwrite)"),
        (("set", "make", "images", "masks", "--output", "one", "--name", "zero=a"), "not a label value"),
        (("pseudo-label", "images", "--method", "auto", "--output", "o", "--set", "slices"), "not KEY=VALUE"),
        (
            ("pseudo-label", "images", "--method", "auto", "--output", "o", "--set", "a=1", "--set", "a=2"),
            "given twice",
        ),
        (("student", "train", "images", "--set", "epoch=3"), "no setting 'epoch'; the settings are network"),
        (("student", "train", "images", "--output", "student.pt"), "ends in .safetensors"),
    ],
)
def test_what_is_wrong_is_one_sentence(
    sammed: Sammed, pictures: Path, arguments: tuple[str | int, ...], fact: str
) -> None:
    run = sammed(*arguments)
    assert run.exit_code in (1, 2)
    assert fact in run.sentence


def test_a_method_lists_its_settings(sammed: Sammed) -> None:
    for name in METHODS:
        run = sammed("pseudo-label", "--settings", name)
        assert run.exit_code == 0
        assert all("=" in line for line in run.stdout.splitlines())
    assert "generator=sap  (sap, classification)" in sammed("pseudo-label", "--settings", "auto").stdout
    assert "balanced=yes  (yes, no)" in sammed("pseudo-label", "--settings", "cam").stdout


@pytest.mark.parametrize(
    ("command", "line"),
    [
        (("student", "train"), "network=unet++  (unet, unet++, dynunet)"),
        (("synthesize", "train"), "timesteps=1000"),
    ],
)
def test_a_training_lists_its_settings_without_a_set(
    sammed: Sammed, command: tuple[str, str], line: str
) -> None:
    run = sammed(*command, "--settings")
    assert (run.exit_code, run.stderr) == (0, "")
    assert line in run.stdout.splitlines()


@pytest.mark.parametrize(
    ("statuses", "exit_code", "summary"),
    [
        (
            ("labeled", "dropped"),
            0,
            "1 labeled from 3 gold cases, 1 dropped, 0 without a finding, 0 failed.",
        ),
        (
            ("labeled", "failed"),
            1,
            "1 labeled from 3 gold cases, 0 dropped, 0 without a finding, 1 failed.",
        ),
        (
            ("nothing", "nothing"),
            1,
            "0 labeled from 3 gold cases, 0 dropped, 2 without a finding, 0 failed.",
        ),
    ],
)
def test_the_status_says_whether_a_student_can_be_trained(
    sammed: Sammed,
    stand_in: StandIn,
    statuses: tuple[Status, ...],
    exit_code: int,
    summary: str,
    tmp_path: Path,
) -> None:
    def answer(request: PseudoLabelRequest, _reporter: Reporter) -> PseudoLabelResult:
        items = tuple(
            PseudoLabelItem(case=f"c{place}", status=status, score=0.5, label_scores={"disc": 0.5})
            for place, status in enumerate(statuses)
        )
        return PseudoLabelResult(output=request.output, method=request.method, gold=3, items=items)

    requests = stand_in("sammed.jobs.pseudo_label:pseudo_label", answer)
    run = sammed(
        "pseudo-label", tmp_path, "--method", "auto", "--output", "o", "--set", "slices=4", "--min-score", 0.5
    )
    assert run.exit_code == exit_code
    assert summary in run.stderr
    (request,) = requests
    assert (request.settings, request.min_score) == ({"slices": "4"}, 0.5)


@pytest.mark.parametrize(("form", "more"), [("nnunet", ("--dataset-id", 7)), ("monai", ())])
def test_a_set_is_exported(sammed: Sammed, pictures: Path, form: str, more: tuple[str | int, ...]) -> None:
    """Masks of pictures have no names; the set has."""
    assert sammed("set", "make", "images", "masks", "--output", "one", "--name", "1=disc").exit_code == 0
    assert sammed("set", "split", "one", "--test", 1, "--keep-gold", 2, "--output", "two").exit_code == 0
    run = sammed("export", form, "two", "--output", "out", "--name", "Discs", *more, "--json")
    assert run.exit_code == 0, run.stderr
    assert run.json["labels"] == {"background": 0, "disc": 1}
    assert (run.json["training"], run.json["testing"]) == (2, 2)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("images",), "Give LABELS as well, or a labeled set: images has no set.json"),
        (("one", "--marked-only"), "need IMAGES and LABELS, not a labeled set"),
    ],
)
def test_labels_are_missing_for_an_export(
    sammed: Sammed, pictures: Path, arguments: tuple[str | int, ...], sentence: str
) -> None:
    assert sammed("set", "make", "images", "masks", "--output", "one").exit_code == 0
    run = sammed("export", "monai", *arguments, "--output", "out", "--name", "Discs")
    assert run.exit_code == 2
    assert sentence in run.stderr
    assert not (pictures / "out").exists()


def test_a_file_is_no_set(sammed: Sammed, pictures: Path) -> None:
    run = sammed("set", "info", "images/p0.png")
    assert run.exit_code == 1
    assert "p0.png is not a labeled set, which is a folder with set.json in it; create one" in run.sentence


def test_a_3d_student_of_pictures_leaves_nothing(sammed: Sammed, pictures: Path) -> None:
    assert sammed("set", "make", "images", "masks", "--output", "one").exit_code == 0
    run = sammed("student", "train", "one", "--network", "dynunet", "--output", "s.safetensors")
    assert run.exit_code == 1
    assert "all samples are pictures; use unet or unet++" in run.sentence
    assert not list(pictures.glob("s*")), "a log or a checkpoint was left"
