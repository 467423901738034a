"""`sammed info`: volumes, label volumes, skills; the tables and the JSON."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.cli.conftest import Case, Sammed


def test_a_volume(sammed: Sammed, case: Case) -> None:
    run = sammed("info", case.image, "--json")
    assert run.exit_code == 0
    assert run.json["kind"] == "volume"
    assert run.json["shape"] == [41, 37, 13]
    assert run.json["labels"] is None
    shown = sammed("info", case.image)
    assert shown.stdout == ""
    assert ["shape", "41", "x", "37", "x", "13"] in shown.rows
    assert str(case.image) in shown.stderr


def test_a_label_volume(sammed: Sammed, case: Case) -> None:
    run = sammed("info", case.labels, "--json")
    assert "millilitres" in run.json["labels"][0]  # codespell:ignore millilitres - JSON keys don't change
    assert run.json["kind"] == "labels"
    assert [label["name"] for label in run.json["labels"]] == ["lung", "heart", "tumour"]
    assert ["Value", "Name", "Voxels", "Milliliters", "Slices", "First", "Last"] in sammed(
        "info", case.labels
    ).rows


def test_slices_along_another_axis(sammed: Sammed, case: Case) -> None:
    assert sammed("info", case.image, "--axis", "0", "--json").json["slices"] == 41


def test_a_labeled_set_has_its_own_command(sammed: Sammed, case: Case, tmp_path: Path) -> None:
    assert sammed("set", "make", case.image.parent, case.labels.parent, "--output", "set").exit_code == 0
    for place in ("set", "set/set.json"):
        run = sammed("info", place)
        assert run.exit_code == 1
        assert run.sentence == f"{place} is a labeled set; use `sammed set info {place}`."
    (case.image.parent / "set.json").write_bytes((tmp_path / "set/set.json").read_bytes())
    assert "labeled set" in sammed("info", case.image.parent).sentence


def test_bytes_that_are_no_skill(sammed: Sammed, tmp_path: Path) -> None:
    path = tmp_path / "skill.safetensors"
    path.write_bytes(b"no skill at all")
    run = sammed("info", path)
    assert run.exit_code == 1
    assert str(path) in run.sentence
