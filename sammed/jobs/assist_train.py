"""`assist-train`: learn a skill from an image and its annotated slices."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import get_args

from sammed.annotations.slice_sampling import Draw
from sammed.assist.config import PromptSet
from sammed.batch.sources import is_label
from sammed.datasets.labeled_sets.making import with_names
from sammed.embeddings.config import EncodingConfig
from sammed.embeddings.opening import open_volume
from sammed.embeddings.scan import open_scan
from sammed.errors import ConfigError
from sammed.jobs.demo_data import DEMO_LABELS, Pair, demo_pair
from sammed.jobs.expectation import expected_dice, report_low
from sammed.jobs.marks import open_marks
from sammed.jobs.validation import MODEL_SUFFIX, check_axis, check_model, check_seed, check_slices, check_word
from sammed.progress import Reporter
from sammed.skills.skill import Skill, learn
from sammed_volumes.atomic_file import check_free
from sammed_volumes.formats import suffix_of
from sammed_volumes.intensity import parse_window
from sammed_volumes.slices import Slicing

DEFAULT_SKILL = Path("skill" + MODEL_SUFFIX)


@dataclass(frozen=True, slots=True, kw_only=True)
class AssistTrainRequest:
    """Learn a skill from an image and its labels.

    With `image` and `labels` None the job looks for them in the working folder. The annotated slices are a
    sample of `slices`, those of `slice_index`, or by default all with a label; `empty_slices` are known to
    have none. `label` are names or values; () means all. `names` replace the file's names of values. `auto`
    False leaves out the generator. `window` is text for `sammed_volumes.intensity.parse_window`. `series`
    chooses in a DICOM folder, `fill_gaps` fills slices that the series lacks; `flatten` lets later segments
    of a `.seg.nrrd` win over earlier ones; `resample` interpolates labels on another lattice.
    """

    image: Path | None = None
    labels: Path | None = None
    slices: int | None = None
    slice_index: tuple[int, ...] = ()
    empty_slices: tuple[int, ...] = ()
    draw: Draw = "even"
    label: tuple[str, ...] = ()
    names: Mapping[int, str] = field(default_factory=dict)
    prompts: PromptSet = "composite"
    encoding: EncodingConfig = EncodingConfig()
    axis: int | None = None
    window: str = "auto"
    seed: int = 0
    output: Path = DEFAULT_SKILL
    overwrite: bool = False
    auto: bool = True
    series: str | None = None
    fill_gaps: bool = False
    spacing_mm: tuple[float, float, float] | None = None
    flatten: bool = False
    colors: bool = False
    resample: bool = False

    def __post_init__(self) -> None:
        if (self.image is None) != (self.labels is None):
            raise ConfigError("Give an image and its labels, or neither.")
        check_slices(self.slices, self.slice_index, self.empty_slices)
        check_word("way to draw slices", self.draw, get_args(Draw))
        check_word("kind of prompts", self.prompts, get_args(PromptSet))
        check_axis(self.axis)
        check_seed(self.seed)
        check_model("skill", self.output)


@dataclass(frozen=True, slots=True, kw_only=True)
class AssistTrainResult:
    """A learned skill. Slices are array indices along `axis`; `labels` are names.

    `expected_dice` is by name, see `sammed.jobs.expectation.expected_dice`.
    """

    skill: Path
    backbone: str
    axis: int
    annotated_slices: tuple[int, ...]
    background_slices: tuple[int, ...]
    labels: tuple[str, ...]
    trainable_parameters: int
    seconds: float
    expected_dice: dict[str, float | None] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        """Return the object that `sammed assist-train --json` prints."""
        return {**asdict(self), "skill": str(self.skill), "seconds": round(self.seconds, 3)}


def assist_train(request: AssistTrainRequest, reporter: Reporter) -> AssistTrainResult:
    """Learn a skill and write it."""
    check_free(request.output, overwrite=request.overwrite)
    started = time.perf_counter()
    pair, is_demo = _pair(request, reporter)
    volume = open_volume(
        pair.image, request.series, reporter, fill_gaps=request.fill_gaps, spacing_mm=request.spacing_mm
    )
    labels = open_marks(pair.labels, volume, request, reporter)
    labels = replace(labels, labels=with_names(labels.labels, request.names))
    window, encoding = parse_window(request.window), request.encoding
    scan = open_scan(
        volume, encoding.load_backbone(), window=window, axis=request.axis, cache=encoding.open_cache()
    )
    skill = learn(
        scan,
        labels,
        slices=request.slices,
        slice_index=request.slice_index,
        empty_slices=request.empty_slices,
        labels=request.label or (DEMO_LABELS if is_demo else ()),
        draw=request.draw,
        prompts=request.prompts,
        auto=request.auto,
        seed=request.seed,
        reporter=reporter,
    )
    skill.save(request.output, overwrite=request.overwrite)
    report_low(expected_dice(skill.model), reporter)
    return train_result(skill, scan.slicing, request.output, time.perf_counter() - started)


def train_result(skill: Skill, slicing: Slicing, output: Path, seconds: float) -> AssistTrainResult:
    """Return what was learned, with slices as indices of the image's own array."""
    annotations = skill.model.annotations
    foreground = [annotations.indices[row] for row in annotations.foreground]
    background = [index for index in annotations.indices if index not in foreground]
    return AssistTrainResult(
        skill=output,
        backbone=skill.model.backbone,
        axis=slicing.axis,
        annotated_slices=tuple(sorted(slicing.array_index(index) for index in foreground)),
        background_slices=tuple(sorted(slicing.array_index(index) for index in background)),
        labels=tuple(label.name for label in skill.labels),
        trainable_parameters=skill.model.learned_numbers,
        expected_dice=expected_dice(skill.model),
        seconds=seconds,
    )


def _pair(request: AssistTrainRequest, reporter: Reporter) -> tuple[Pair, bool]:
    if request.image is None or request.labels is None:
        return find_pair(Path.cwd(), reporter)
    return Pair(request.image, request.labels), False


def find_pair(folder: Path, reporter: Reporter) -> tuple[Pair, bool]:
    """Return the image and labels in a folder, or the demo's and True if it has none.

    They are named image* and label*, or are the only files in the folders images/ and labels/. Label volumes
    that sammed wrote beside an image don't count. Raises ConfigError if there are several candidates.
    """
    images, labels = _candidates(folder, "image"), _candidates(folder, "label")
    if not images and not labels:
        reporter.message("This folder has no image* and label*; learning from the demo's chest CT.")
        return demo_pair(), True
    for found, name in ((images, "image"), (labels, "label")):
        if len(found) != 1:
            names = ", ".join(path.name for path in found) or "none"
            raise ConfigError(
                f"{folder} must contain one {name}* file, but there is {names}; name the files."
            )
    reporter.message(f"Learning from {images[0].name} and {labels[0].name}.")
    return Pair(images[0], labels[0]), False


def _candidates(folder: Path, name: str) -> list[Path]:
    beside = _volumes(folder.glob(f"{name}*"))
    inside = folder / f"{name}s"
    if beside or not inside.is_dir():
        return [path for path in beside if name != "image" or not is_label(path)]
    return _volumes(inside.iterdir())


def _volumes(paths: Iterable[Path]) -> list[Path]:
    """Return the files with the extension of a volume, sorted, without hidden files."""
    return sorted(
        path for path in paths if path.is_file() and suffix_of(path) and not path.name.startswith(".")
    )
