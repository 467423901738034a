"""Tables of diffusion models and their samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sammed.reports.report import Table

if TYPE_CHECKING:
    from sammed.jobs.synthesize.sample import SynthesizeSampleResult
    from sammed.jobs.synthesize.train import SynthesizeTrainResult


def model_table(result: SynthesizeTrainResult) -> Table:
    """Return a table of what was learned, from how many pictures, and how long it took."""
    height, width = result.shape
    facts = (
        ("model", str(result.model)),
        ("training pictures", str(result.pictures)),
        ("training size", f"{result.image_size} x {result.image_size}"),
        ("sample size", f"{width} x {height}"),
        ("steps", str(result.steps)),
        ("last loss", f"{result.loss:.4f}"),
        ("seconds", f"{result.seconds:.1f}"),
    )
    return Table("", ("Diffusion model", ""), facts)


def samples_table(result: SynthesizeSampleResult) -> Table:
    """Return a table of the written files."""
    height, width = result.shape
    facts = (
        ("folder", str(result.output)),
        ("pictures", f"{len(result.files)} of {width} x {height}"),
        ("set", str(result.labeled_set or "none")),
        ("seconds", f"{result.seconds:.1f}"),
    )
    return Table("", ("Synthetic images", ""), facts)
