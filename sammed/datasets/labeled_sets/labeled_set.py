"""The labeled set: what a student learns from.

A *case* is an image or a volume with its labels, or without. Its *origin* says who made the labels: "gold" a
person, "none" nobody, else the pseudo-labeler of that name. A volume is its slices; they stay together in
every split.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from sammed.errors import SetError
from sammed_volumes.intensity import Window
from sammed_volumes.labels import Label

GOLD, NONE = "gold", "none"

Split: TypeAlias = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)


@dataclass(frozen=True, slots=True)
class Case:
    """One image or volume, its labels, and who made them. Paths are absolute, or start in the set's folder.

    `score` is 0..1, the maker's own estimate of the whole; `label_scores` that of each label, by value. Gold
    has none. `maker_digest` says which skill, student or settings made a pseudo-label. `ignore` is a label
    volume on the image's grid whose voxels above 0 are not to be learned from.

    `annotated_slices` are array indices along `axis` (None: the axis that `plan_slices` takes) that a person
    marked; None means all. In a gold case the other slices are unknown: they are ignored, and may be
    pseudo-labeled. In a pseudo-labeled case the machine labeled the others, and these are the person's.
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

    def __post_init__(self) -> None:
        if not self.name or "/" in self.name or self.name.startswith("."):
            raise SetError(f"A case needs a name without slashes that starts with no dot, not {self.name!r}.")
        if (self.labels is None) != (self.origin == NONE):
            has = "no labels" if self.labels is None else "labels"
            raise SetError(f"Case {self.name} has {has}, but its labels' origin is {self.origin!r}.")
        if self.axis not in (None, 0, 1, 2):
            raise SetError(f"Case {self.name}: the slice axis is 0, 1 or 2, not {self.axis}.")
        scores = [*self.label_scores.values(), *([] if self.score is None else [self.score])]
        if not all(0 <= score <= 1 for score in scores):
            raise SetError(f"Case {self.name}: scores lie between 0 and 1, not at {max(scores):g}.")

    @property
    def is_gold(self) -> bool:
        """Whether a person made the labels."""
        return self.origin == GOLD

    @property
    def is_labeled(self) -> bool:
        """Whether there are labels, whoever made them."""
        return self.origin != NONE

    @property
    def is_partial(self) -> bool:
        """Whether a person marked some slices and nobody the others."""
        return self.is_gold and self.annotated_slices is not None


@dataclass(frozen=True, slots=True)
class LabeledSet:
    """Cases with one list of labels (without the background) in ascending order of value.

    `splits` says by name which split a case is in; a case that is not named is trained on. `window` is the
    range of intensities that pictures of the cases show; None: what `default_window` says of each image.
    `ignore_value` is a value in label volumes that is no label but says "not known", as nnU-Net's ignore
    label. Raises SetError for names that come twice (case aside) and for splits of cases that aren't there.
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
            raise SetError(f"The value {self.ignore_value} is a label, so it can't mean voxels to ignore.")
        unknown = sorted(set(self.splits) - {case.name for case in self.cases})
        if unknown:
            raise SetError(f"The splits name the case {unknown[0]!r}, which the set doesn't have.")

    @property
    def gold(self) -> tuple[Case, ...]:
        """The cases that a person labeled, those of which only some slices are annotated among them."""
        return tuple(case for case in self.cases if case.is_gold)

    @property
    def unlabeled(self) -> tuple[Case, ...]:
        """The cases without labels."""
        return tuple(case for case in self.cases if not case.is_labeled)

    @property
    def pseudo(self) -> tuple[Case, ...]:
        """The cases that a machine labeled."""
        return tuple(case for case in self.cases if case.is_labeled and not case.is_gold)

    def case(self, name: str) -> Case:
        """The case of that name; SetError where there is none."""
        found = next((case for case in self.cases if case.name == name), None)
        if found is None:
            raise SetError(f"The set in {self.folder} has no case {name!r}.")
        return found

    def split_of(self, case: Case) -> Split:
        """The split a case is in."""
        return self.splits.get(case.name, "train")

    def part(self, split: Split) -> LabeledSet:
        """The set with the cases of one split alone."""
        return self.keep(lambda case: self.split_of(case) == split)

    def keep(self, wanted: Callable[[Case], bool]) -> LabeledSet:
        """The set with some of its cases, with their splits."""
        return self.with_cases([case for case in self.cases if wanted(case)])

    def with_cases(self, cases: Sequence[Case]) -> LabeledSet:
        """The set with other cases; the splits of cases that are gone go too."""
        names = {case.name for case in cases}
        splits = {name: split for name, split in self.splits.items() if name in names}
        return replace(self, cases=tuple(cases), splits=splits)

    def path(self, path: Path) -> Path:
        """Where a case's file lies: a relative path starts in the set's folder."""
        return path if path.is_absolute() else self.folder / path

    def moved(self, folder: Path) -> LabeledSet:
        """Return the set with its manifest in another folder; the cases' files stay where they are."""

        def absolute(path: Path | None) -> Path | None:
            return None if path is None else self.path(path).absolute()

        cases = [
            replace(
                case,
                image=self.path(case.image).absolute(),
                labels=absolute(case.labels),
                ignore=absolute(case.ignore),
            )
            for case in self.cases
        ]
        return replace(self, folder=folder, cases=tuple(cases))
