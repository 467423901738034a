"""`set make`: make a labeled set from a folder, an nnU-Net data set or a MONAI data list."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sammed.datasets.labeled_sets.folder_reader import gather_pairs
from sammed.datasets.labeled_sets.gathered import Gathered
from sammed.datasets.labeled_sets.label_reading import LabelReading
from sammed.datasets.labeled_sets.making import make_set
from sammed.datasets.labeled_sets.monai_reader import gather_monai
from sammed.datasets.labeled_sets.nnunet_reader import gather_nnunet
from sammed.datasets.labeled_sets.set_file import SET_FILE_NAME, write_set
from sammed.errors import ConfigError
from sammed.jobs.set.info import SetResult
from sammed.jobs.validation import check_axis
from sammed.progress import Reporter
from sammed.storage.outputs import folder_for_output
from sammed_volumes.atomic_file import check_free
from sammed_volumes.intensity import parse_window


@dataclass(frozen=True, slots=True, kw_only=True)
class SetMakeRequest:
    """Make a set from `source` and write its manifest into the folder `output`.

    `source` is a folder of images with its subfolders, a raw nnU-Net data set, or a MONAI data list (.json).
    The masks of a folder of images are in the folder `labels`, under the same names and subfolders, or beside
    the images as NAME_label or NAME_seg. `fold` is the data list's fold to validate on, `channel` the nnU-Net
    channel to use. `names` are label names by value. `window` is text for `parse_window`. `flatten` lets
    later segments of a `.seg.nrrd` win over earlier ones; `resample` interpolates labels on another lattice,
    whenever the set is used.
    """

    source: Path
    output: Path
    labels: Path | None = None
    images_only: bool = False
    marked_only: bool = False
    axis: int | None = None
    flatten: bool = False
    resample: bool = False
    window: str = "auto"
    names: Mapping[int, str] = field(default_factory=dict)
    fold: int | None = None
    channel: int = 0
    overwrite: bool = False

    def __post_init__(self) -> None:
        if self.labels is not None and self.images_only:
            raise ConfigError("Give LABELS or --images-only, not both.")
        check_axis(self.axis)


def set_make(request: SetMakeRequest, reporter: Reporter) -> SetResult:
    """Gather and check cases, and write the set; the result reports bad cases, which are left out."""
    with folder_for_output(request.output):
        check_free(request.output / SET_FILE_NAME, overwrite=request.overwrite)
        labeled_set, problems = make_set(
            _gathered(request),
            request.output,
            reporter,
            window=parse_window(request.window),
            names=request.names,
        )
        write_set(labeled_set, overwrite=request.overwrite)
    return SetResult(labeled_set=labeled_set, problems=problems)


def _gathered(request: SetMakeRequest) -> Gathered:
    source, reading = request.source, LabelReading(flatten=request.flatten, resample=request.resample)
    if source.suffix.lower() == ".json":
        return gather_monai(source, fold=request.fold).read_with(reading)
    if (source / "dataset.json").is_file() and request.labels is None:
        return gather_nnunet(source, channel=request.channel).read_with(reading)
    labels = None if request.images_only else request.labels or source
    return gather_pairs(source, labels, marked_only=request.marked_only, axis=request.axis, reading=reading)
