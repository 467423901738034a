"""Tables for people: diffusion models and the pictures that they make."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sammed.reports.report import Table

if TYPE_CHECKING:
    from sammed.jobs.synthesizing import SamplingResult, SynthesisTrainingResult


def model_table(result: SynthesisTrainingResult) -> Table:
    """What was learned, from what, how long it took."""
    height, width = result.shape
    facts = (
        ("model", str(result.model)),
        ("pictures learned from", str(result.pictures)),
        ("size it learns at", f"{result.image_size} x {result.image_size}"),
        ("size it samples", f"{width} x {height}"),
        ("steps", str(result.steps)),
        ("loss at the end", f"{result.loss:.4f}"),
        ("seconds", f"{result.seconds:.1f}"),
    )
    return Table("", ("Diffusion model", ""), facts)


def samples_table(result: SamplingResult) -> Table:
    """Where the pictures lie."""
    height, width = result.shape
    facts = (
        ("folder", str(result.output)),
        ("pictures", f"{len(result.files)} of {width} x {height}"),
        ("set", str(result.labeled_set or "none")),
        ("seconds", f"{result.seconds:.1f}"),
    )
    return Table("", ("Synthetic images", ""), facts)
