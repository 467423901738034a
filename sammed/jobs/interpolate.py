"""`interpolate`: label an annotated volume without learning, by optical flow and random walker."""

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import get_args

from sammed.annotations.slice_sampling import Draw
from sammed.embeddings.opening import open as open_image
from sammed.embeddings.opening import open_volume
from sammed.embeddings.scan import Scan
from sammed.interpolation.interpolation import interpolate as interpolate_marks
from sammed.interpolation.stack import Method
from sammed.jobs.marks import open_marks
from sammed.jobs.validation import check_axis, check_seed, check_slices, check_word
from sammed.progress import Reporter
from sammed.storage.outputs import beside, label_file
from sammed.storage.provenance import check_label_free
from sammed_volumes.dicom.codes import NamedCode
from sammed_volumes.formats import check_can_hold
from sammed_volumes.labels import LabelVolume


@dataclass(frozen=True, slots=True, kw_only=True)
class InterpolateRequest:
    """Label `image` from the annotated slices of `labels`; these are chosen as in `AssistTrainRequest`.

    `spacing_mm`, `flatten`, `colors` and `resample` are those of `AssistTrainRequest`, too.
    """

    image: Path
    labels: Path
    slices: int | None = None
    slice_index: tuple[int, ...] = ()
    empty_slices: tuple[int, ...] = ()
    draw: Draw = "even"
    label: tuple[str, ...] = ()
    method: Method = "mean"
    axis: int | None = None
    window: str = "auto"
    seed: int = 0
    output: Path | None = None
    suffix: str = ".nii.gz"
    overwrite: bool = False
    series: str | None = None
    fill_gaps: bool = False
    codes: tuple[NamedCode, ...] = ()
    spacing_mm: tuple[float, float, float] | None = None
    flatten: bool = False
    colors: bool = False
    resample: bool = False

    def __post_init__(self) -> None:
        check_slices(self.slices, self.slice_index, self.empty_slices)
        check_word("way to draw slices", self.draw, get_args(Draw))
        check_word("method", self.method, get_args(Method))
        check_axis(self.axis)
        check_seed(self.seed)


@dataclass(frozen=True, slots=True, kw_only=True)
class InterpolateResult:
    """A label volume; `expected_dice` is by name, None where no annotated slice could be left out."""

    image: Path
    output: Path
    method: str
    axis: int
    annotated_slices: tuple[int, ...]
    expected_dice: dict[str, float | None]
    seconds: float

    def to_json(self) -> dict[str, object]:
        """Return the object that `sammed interpolate --json` prints."""
        paths = {"image": str(self.image), "output": str(self.output)}
        return {**asdict(self), **paths, "seconds": round(self.seconds, 3)}


def interpolate(request: InterpolateRequest, reporter: Reporter) -> InterpolateResult:
    """Label the volume and write the labels with their provenance."""
    output = label_file(request.output or beside(request.image, request.suffix), request.image)
    check_label_free(output, overwrite=request.overwrite)
    started = time.perf_counter()
    scan, marks = _opened(request, output, reporter)
    labeled = interpolate_marks(
        scan,
        marks,
        method=request.method,
        slices=request.slices,
        slice_index=request.slice_index,
        empty_slices=request.empty_slices,
        labels=request.label,
        draw=request.draw,
        seed=request.seed,
        reporter=reporter,
    )
    labeled.save(output, codes=request.codes, overwrite=request.overwrite)
    names = {label.value: label.name for label in labeled.labels.labels}
    return InterpolateResult(
        image=request.image,
        output=output,
        method=request.method,
        axis=labeled.axis,
        annotated_slices=labeled.annotated,
        expected_dice={names[value]: dice for value, dice in labeled.estimates.items()},
        seconds=time.perf_counter() - started,
    )


def _opened(request: InterpolateRequest, output: Path, reporter: Reporter) -> tuple[Scan, LabelVolume]:
    volume = open_volume(
        request.image, request.series, reporter, fill_gaps=request.fill_gaps, spacing_mm=request.spacing_mm
    )
    scan = open_image(volume, window=request.window, axis=request.axis, cache=False)
    check_can_hold(output, volume)
    return scan, open_marks(request.labels, volume, request, reporter)
