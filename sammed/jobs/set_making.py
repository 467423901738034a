"""Making and splitting labeled sets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sammed.datasets.labeled_sets.folder_reader import gather_pairs
from sammed.datasets.labeled_sets.gathered import Gathered, Problem
from sammed.datasets.labeled_sets.hiding import keep_gold, keep_slices
from sammed.datasets.labeled_sets.labeled_set import SPLITS, LabeledSet
from sammed.datasets.labeled_sets.making import make_set
from sammed.datasets.labeled_sets.monai_reader import gather_monai
from sammed.datasets.labeled_sets.nnunet_reader import gather_nnunet
from sammed.datasets.labeled_sets.set_file import MANIFEST_NAME, read_set, write_set
from sammed.datasets.labeled_sets.splits import split_cases
from sammed.errors import ConfigError
from sammed.storage.outputs import folder_for_output, make_folder
from sammed_volumes.atomic_file import check_free
from sammed_volumes.intensity import parse_window

if TYPE_CHECKING:
    from sammed.progress import Reporter


@dataclass(frozen=True, slots=True, kw_only=True)
class SetMakingRequest:
    """Make a set of what is in `source` and put its manifest into the folder `output`.

    `source` is a folder of images and those below it (with `labels` a folder of masks of the same names in a
    tree of the same folders, else the masks stand beside the images as NAME_label or NAME_seg), a raw data
    set of nnU-Net, or a data list of MONAI (.json). `fold` is a fold of the data list to validate on,
    `channel` that of nnU-Net to take. `names` are names for label values. `window` is text for
    `parse_window`.
    """

    source: Path
    output: Path
    labels: Path | None = None
    images_only: bool = False
    marked_only: bool = False
    axis: int | None = None
    window: str = "auto"
    names: Mapping[int, str] = field(default_factory=dict)
    fold: int | None = None
    channel: int = 0
    overwrite: bool = False

    def __post_init__(self) -> None:
        if self.labels is not None and self.images_only:
            raise ConfigError("Give labels, or say that there are none, not both.")
        if self.axis not in (None, 0, 1, 2):
            raise ConfigError(f"The slice axis must be 0, 1 or 2, not {self.axis}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class SetSplittingRequest:
    """Draw the splits of a set anew (see `split_cases`), and hide labels, if asked for.

    `keep_gold` gold training cases keep their labels; `keep_slices` annotated slices are kept in each gold
    training volume. With `output` None the set itself is changed, which `overwrite` must allow.
    """

    labeled_set: Path
    test: int
    validation: int = 0
    seed: int = 0
    group: str | None = None
    keep_gold: int | None = None
    keep_slices: int | None = None
    output: Path | None = None
    overwrite: bool = False

    def __post_init__(self) -> None:
        if self.output is None and not self.overwrite:
            raise ConfigError(
                f"Say where the new set goes, or that {self.labeled_set} may be overwritten (--overwrite)."
            )
        if self.seed < 0:
            raise ConfigError(f"A seed is 0 or more, not {self.seed}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class SetResult:
    """A set, and the cases that are not in it because something is wrong with them."""

    labeled_set: LabeledSet
    problems: tuple[Problem, ...] = ()

    def counts(self) -> dict[str, dict[str, int]]:
        """Cases of each split by their origin; a partly annotated one counts as "partly gold"."""
        parts = {split: self.labeled_set.part(split).cases for split in SPLITS}
        return {
            split: dict(Counter("partly gold" if case.is_partial else case.origin for case in cases))
            for split, cases in parts.items()
        }

    def to_json(self) -> dict[str, object]:
        """The object that `sammed set make|split|info --json` prints."""
        return {
            "set": str(self.labeled_set.folder / MANIFEST_NAME),
            "labels": {str(label.value): label.name for label in self.labeled_set.labels},
            "cases": self.counts(),
            "problems": [{"case": problem.case, "reason": problem.reason} for problem in self.problems],
        }


def make(request: SetMakingRequest, reporter: Reporter) -> SetResult:
    """Gather, check and write a set; bad cases are left out and told."""
    with folder_for_output(request.output):
        check_free(request.output / MANIFEST_NAME, overwrite=request.overwrite)
        labeled_set, problems = make_set(
            _gathered(request),
            request.output,
            reporter,
            window=parse_window(request.window),
            names=request.names,
        )
        write_set(labeled_set, overwrite=request.overwrite)
    return SetResult(labeled_set=labeled_set, problems=problems)


def split(request: SetSplittingRequest) -> SetResult:
    """Split a set and write it."""
    labeled_set = split_cases(
        read_set(request.labeled_set),
        test=request.test,
        validation=request.validation,
        seed=request.seed,
        group=request.group,
    )
    if request.keep_gold is not None:
        labeled_set = keep_gold(labeled_set, request.keep_gold, seed=request.seed)
    if request.keep_slices is not None:
        labeled_set = keep_slices(labeled_set, request.keep_slices)
    if request.output is not None:
        make_folder(request.output)
        labeled_set = moved(labeled_set, request.output)
    write_set(labeled_set, overwrite=request.overwrite)
    return SetResult(labeled_set=labeled_set)


def describe(place: Path) -> SetResult:
    """What a set holds, by its manifest."""
    return SetResult(labeled_set=read_set(place))


def moved(labeled_set: LabeledSet, folder: Path) -> LabeledSet:
    """The same set with its manifest in another folder; the files stay where they are."""

    def there(path: Path | None) -> Path | None:
        return None if path is None else labeled_set.path(path).absolute()

    cases = [
        replace(
            case,
            image=labeled_set.path(case.image).absolute(),
            labels=there(case.labels),
            ignore=there(case.ignore),
        )
        for case in labeled_set.cases
    ]
    return replace(labeled_set.with_cases(cases), folder=folder)


def _gathered(request: SetMakingRequest) -> Gathered:
    source = request.source
    if source.suffix.lower() == ".json":
        return gather_monai(source, fold=request.fold)
    if (source / "dataset.json").is_file() and request.labels is None:
        return gather_nnunet(source, channel=request.channel)
    labels = None if request.images_only else request.labels or source
    return gather_pairs(source, labels, marked_only=request.marked_only, axis=request.axis)
