"""`evaluate`: compare two label volumes. Does not import torch."""

from dataclasses import dataclass
from pathlib import Path

from sammed.jobs.validation import check_axis
from sammed.metrics.evaluation import Evaluation
from sammed.metrics.evaluation import evaluate as compare
from sammed.progress import Reporter
from sammed_volumes.formats import read_labels


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateRequest:
    """Compare a prediction with a reference; see `sammed.metrics.evaluation.evaluate`.

    `exclude_slices` are array indices along `axis`. `flatten` lets later segments of a `.seg.nrrd` win over
    earlier ones. `resample` interpolates a prediction on another lattice.
    """

    prediction: Path
    reference: Path
    exclude_slices: tuple[int, ...] = ()
    axis: int | None = None
    tolerance_mm: float = 1.0
    flatten: bool = False
    resample: bool = False

    def __post_init__(self) -> None:
        check_axis(self.axis)


def evaluate(request: EvaluateRequest, reporter: Reporter) -> Evaluation:
    """Read both label volumes and compare them."""
    prediction = read_labels(request.prediction, flatten=request.flatten)
    return compare(
        prediction,
        read_labels(request.reference, flatten=request.flatten, like=prediction.grid),
        exclude_slices=request.exclude_slices,
        axis=request.axis,
        tolerance_mm=request.tolerance_mm,
        resample=request.resample,
        report=reporter.message,
    )
