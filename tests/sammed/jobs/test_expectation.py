"""A low expected Dice is said in one sentence with a remedy."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sammed.jobs.auto_label import AutoLabelRequest, auto_label
from sammed.jobs.expectation import report_low
from sammed.skills.skill_file import read_skill, write_skill
from tests.sammed.conftest import Notes


def test_only_low_labels_are_named(notes: Notes) -> None:
    report_low({"liver": 0.7, "spleen": None, "tumor": 0.4321, "aorta": 0.699}, notes)
    assert notes.messages == [
        "The expected Dice is below 0.7: tumor (0.432), aorta (0.699); mark more slices of tumor and aorta."
    ]


def test_nothing_is_said_where_all_is_well_or_unknown(notes: Notes) -> None:
    report_low({"liver": 0.95, "spleen": None}, notes)
    report_low({}, notes)
    assert notes.messages == []


def test_auto_label_says_it_before_it_labels(skill: Path, tmp_path: Path, notes: Notes) -> None:
    model = read_skill(skill)
    auto = model.require_auto()
    dice = {1: 0.95, 2: 0.5, 4: None}
    choices = {value: replace(choice, expected_dice=dice[value]) for value, choice in auto.choices.items()}
    write_skill(replace(model, auto=replace(auto, choices=choices)), skill, overwrite=True)
    auto_label(AutoLabelRequest(inputs=(tmp_path / "nowhere.nii.gz",), skill=skill), notes)
    assert notes.messages[0] == "The expected Dice is below 0.7: heart (0.500); mark more slices of heart."
