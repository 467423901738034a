"""A low expected Dice is said in one sentence with a remedy."""

from __future__ import annotations

from sammed.jobs.expectation import report_low
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
