"""The labeled set: what a student learns from.

A *case* is an image or a volume, with or without labels. Its *origin* states who made the labels: "gold" an
annotator, "none" nobody, else the pseudo-labeler of that name. The slices of a volume stay together in every
split.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from sammed.datasets.labeled_sets.label_reading import AS_THEY_ARE, LabelReading
from sammed.errors import SetError
from sammed_volumes.intensity import Window
from sammed_volumes.labels import Label

GOLD, NONE = "gold", "none"

Split: TypeAlias = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)


@dataclass(frozen=True, slots=True)
class Case:
    """One image or volume, its labels, and who made them. Paths are absolute or relative to the set's folder.

    `score` is the maker's own estimate of the whole, 0..1; `label_scores` are those of each label, by value.
    Gold has none. `maker_digest` names the skill, student or settings that made a pseudo-label. `ignore` is a
    label volume on the image's grid; training ignores its voxels above 0.

    `annotated_slices` are array indices along `axis` (None: the axis that `plan_slices` chooses) that the
    annotator marked; None means all. In a gold case the other slices are unknown: training ignores them, and
    a pseudo-labeler may label them. In a pseudo-labeled case the machine labeled the others.

    `reading` is how `labels` is read wherever the case is opened.
    """

    name: str
    image: Path
    labels: Path | None = None
    origin: str = NONE
    score: float | None = None
    label_scores: Mapping[int, float] = field(default_factory=dict)
    maker_digest: str | None = None
    ignore: Path | None = None
    annotated_slices: tuple[int, ...] | None = None
    axis: int | None = None
    reading: LabelReading = AS_THEY_ARE

    def __post_init__(self) -> None:
        if not self.name or "/" in self.name or self.name.startswith("."):
            raise SetError(f"A case's name has no slash and no leading dot; {self.name!r} can't be one.")
        if (self.labels is None) != (self.origin == NONE):
            has = "no labels" if self.labels is None else "labels"
            raise SetError(f"Case {self.name} has {has}, but the origin of its labels is {self.origin!r}.")
        if self.axis not in (None, 0, 1, 2):
            raise SetError(f"Case {self.name}: the slice axis is 0, 1 or 2, not {self.axis}.")
        scores = [*self.label_scores.values(), *([] if self.score is None else [self.score])]
        if not all(0 <= score <= 1 for score in scores):
            raise SetError(f"Case {self.name}: scores are from 0 to 1, not {max(scores):g}.")

    @property
    def is_gold(self) -> bool:
        """Whether an annotator made the labels."""
        return self.origin == GOLD

    @property
    def is_labeled(self) -> bool:
        """Whether the case has labels of any origin."""
        return self.origin != NONE

    def without_labels(self) -> Case:
        """Return the case as one that nobody labeled."""
        return replace(self, labels=None, origin=NONE, ignore=None, annotated_slices=None)

    @property
    def is_partial(self) -> bool:
        """Whether an annotator marked some slices and nobody labeled the others."""
        return self.is_gold and self.annotated_slices is not None


@dataclass(frozen=True, slots=True)
class LabeledSet:
    """Cases with one list of labels (without the background) in ascending order of value.

    `splits` maps names of cases to splits; a case without an entry is a training case. `window` is the range
    of intensities that pictures of the cases show; None takes `default_window` of each image. `ignore_value`
    is a value in label volumes that means "unknown", as nnU-Net's ignore label. Raises SetError for names
    that occur twice (ignoring case) and for splits of missing cases.
    """

    folder: Path
    labels: tuple[Label, ...]
    cases: tuple[Case, ...]
    splits: Mapping[str, Split] = field(default_factory=dict)
    window: Window | None = None
    ignore_value: int | None = None

    def __post_init__(self) -> None:
        names = Counter(case.name.casefold() for case in self.cases)
        twice = sorted(name for name, count in names.items() if count > 1)
        if twice:
            raise SetError(f"The set has the case {twice[0]!r} twice; give each case its own name.")
        values = [label.value for label in self.labels]
        if values != sorted(set(values)):
            raise SetError(f"The set's labels must be distinct and in ascending order, not {values}.")
        if self.ignore_value in values:
            raise SetError(f"The value {self.ignore_value} is a label, so it can't mark voxels to ignore.")
        unknown = sorted(set(self.splits) - {case.name for case in self.cases})
        if unknown:
            raise SetError(f"The splits name the case {unknown[0]!r}, which the set doesn't have.")

    @property
    def gold(self) -> tuple[Case, ...]:
        """The gold cases, including partly annotated ones."""
        return tuple(case for case in self.cases if case.is_gold)

    @property
    def unlabeled(self) -> tuple[Case, ...]:
        """The cases without labels."""
        return tuple(case for case in self.cases if not case.is_labeled)

    @property
    def pseudo(self) -> tuple[Case, ...]:
        """The pseudo-labeled cases."""
        return tuple(case for case in self.cases if case.is_labeled and not case.is_gold)

    def case(self, name: str) -> Case:
        """Return the case of that name. Raises SetError where there is none."""
        found = next((case for case in self.cases if case.name == name), None)
        if found is None:
            raise SetError(f"The set in {self.folder} has no case {name!r}.")
        return found

    def split_of(self, case: Case) -> Split:
        """Return the split of a case."""
        return self.splits.get(case.name, "train")

    def part(self, split: Split) -> LabeledSet:
        """Return the set with the cases of one split only."""
        return self.keep(lambda case: self.split_of(case) == split)

    def keep(self, wanted: Callable[[Case], bool]) -> LabeledSet:
        """Return the set with the wanted cases and their splits."""
        return self.with_cases([case for case in self.cases if wanted(case)])

    def with_cases(self, cases: Sequence[Case]) -> LabeledSet:
        """Return the set with other cases; splits of removed cases are removed too."""
        names = {case.name for case in cases}
        splits = {name: split for name, split in self.splits.items() if name in names}
        return replace(self, cases=tuple(cases), splits=splits)

    def path(self, path: Path) -> Path:
        """Return the full path of a case's file; a relative path starts in the set's folder."""
        return path if path.is_absolute() else self.folder / path

    def located(self, case: Case) -> Case:
        """Return a case whose paths no longer depend on the set's folder."""
        labels, ignore = (None if path is None else self.path(path) for path in (case.labels, case.ignore))
        return replace(case, image=self.path(case.image), labels=labels, ignore=ignore)

    def moved(self, folder: Path) -> LabeledSet:
        """Return the set with its set file in another folder; the cases' files stay where they are."""
        here = replace(self, folder=self.folder.absolute())
        return replace(self, folder=folder, cases=tuple(map(here.located, self.cases)))
