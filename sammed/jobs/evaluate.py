"""`evaluate`: compare two label volumes."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sammed.embeddings.opening import report_notes
from sammed.jobs.validation import check_axis
from sammed.metrics.evaluation import Evaluation
from sammed.metrics.evaluation import evaluate as compare
from sammed.progress import Reporter
from sammed_volumes.formats import read_labels, spacings_of
from sammed_volumes.labels import LabelVolume


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateRequest:
    """Compare a prediction with a reference; see `sammed.metrics.evaluation.evaluate`.

    `exclude_slices` are array indices along `axis` of the prediction. `flatten` lets later segments of a
    `.seg.nrrd` win over earlier ones; `resample` interpolates a prediction on another lattice.
    `colors` makes each color of a picture a label. `spacing_mm` is that of pictures, X, Y, Z.
    """

    prediction: Path
    reference: Path
    exclude_slices: tuple[int, ...] = ()
    axis: int | None = None
    tolerance_mm: float = 1.0
    spacing_mm: tuple[float, float, float] | None = None
    flatten: bool = False
    colors: bool = False
    resample: bool = False

    def __post_init__(self) -> None:
        check_axis(self.axis)


def evaluate(request: EvaluateRequest, reporter: Reporter) -> Evaluation:
    """Read both label volumes and compare them."""
    prediction, reference = _read(request, reporter)
    return compare(
        prediction,
        reference,
        exclude_slices=request.exclude_slices,
        axis=request.axis,
        tolerance_mm=request.tolerance_mm,
        resample=request.resample,
        report=reporter.message,
    )


def _read(request: EvaluateRequest, reporter: Reporter) -> tuple[LabelVolume, LabelVolume]:
    ours_mm, theirs_mm = spacings_of(request.spacing_mm, request.prediction, request.reference)
    read = partial(read_labels, flatten=request.flatten, colors=request.colors)
    prediction = read(request.prediction, spacing_mm=ours_mm)
    reference = read(request.reference, spacing_mm=theirs_mm, like=prediction.grid)
    for labels in (prediction, reference):
        report_notes(labels, reporter)
    return prediction, reference
