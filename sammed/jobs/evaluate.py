"""`evaluate`: compare two label volumes."""

from dataclasses import dataclass
from pathlib import Path

from sammed.embeddings.opening import report_notes
from sammed.jobs.validation import check_axis
from sammed.metrics.evaluation import Evaluation
from sammed.metrics.evaluation import evaluate as compare
from sammed.progress import Reporter
from sammed_volumes.formats import read_labels


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateRequest:
    """Compare a prediction with a reference; see `sammed.metrics.evaluation.evaluate`.

    `exclude_slices` are array indices along `axis` of the reference. `flatten` lets later segments of a
    `.seg.nrrd` win over earlier ones; `resample` interpolates a prediction on another lattice.
    `colors` makes each color of a picture a label.
    """

    prediction: Path
    reference: Path
    exclude_slices: tuple[int, ...] = ()
    axis: int | None = None
    tolerance_mm: float = 1.0
    flatten: bool = False
    colors: bool = False
    resample: bool = False

    def __post_init__(self) -> None:
        check_axis(self.axis)


def evaluate(request: EvaluateRequest, reporter: Reporter) -> Evaluation:
    """Read both label volumes and compare them."""
    prediction = read_labels(request.prediction, flatten=request.flatten, colors=request.colors)
    reference = read_labels(
        request.reference, flatten=request.flatten, colors=request.colors, like=prediction.grid
    )
    for labels in (prediction, reference):
        report_notes(labels, reporter)
    return compare(
        prediction,
        reference,
        exclude_slices=request.exclude_slices,
        axis=request.axis,
        tolerance_mm=request.tolerance_mm,
        resample=request.resample,
        report=reporter.message,
    )
