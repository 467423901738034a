"""A trial: one set with one seed, its pseudo-labels by any method, its students, and how good both are."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import UInt

from bench.pseudo.laboratory import Laboratory
from bench.pseudo.rows import Row
from bench.pseudo.sets import Shown, Source, show
from bench.rows import current_commit
from sammed.datasets.labeled_sets.labeled_set import LabeledSet
from sammed.datasets.labeled_sets.pictures import open_case
from sammed.datasets.pseudo.methods import config_type, make_labeler
from sammed.datasets.pseudo.pseudo_label import PseudoLabel
from sammed.datasets.pseudo.pseudo_labeler import PseudoLabeler, Tools
from sammed.datasets.settings import configure
from sammed.datasets.students.config import StudentConfig
from sammed.datasets.students.inference import label_by_student
from sammed.datasets.students.student import Student
from sammed.jobs.pseudo_label_files import write_pseudo_label
from sammed.metrics.evaluation import dice
from sammed.progress import Silent


@dataclass(frozen=True, slots=True)
class Made:
    """The visible set with a method's labels; `names` are the cases that got some, best score first.

    `asked` counts the cases that the method was asked to label, `reasons` explain those without labels.
    """

    labeled_set: LabeledSet
    names: tuple[str, ...]
    asked: int
    reasons: tuple[str, ...]

    def only(self, names: Iterable[str], visible: LabeledSet) -> LabeledSet:
        """Return the visible set with the labels of these cases only."""
        kept = set(names)
        cases = [self.labeled_set.case(each.name) if each.name in kept else each for each in visible.cases]
        return visible.with_cases(cases)

    @property
    def coverage(self) -> str:
        """How many of the cases got labels, and why others got none."""
        others = f"; {self.reasons[0]}" if self.reasons else ""
        return f"{len(self.names)} of {self.asked} cases labeled{others}"


class Trial:
    """One set, split and shown by one seed."""

    def __init__(self, laboratory: Laboratory, name: str, source: Source, seed: int) -> None:
        self.laboratory = laboratory
        self.name = name
        self.source = source
        self.seed = seed
        self.shown: Shown = show(source, seed)

    @property
    def has_one_label(self) -> bool:
        """Whether the set has a single label."""
        return len(self.source.truth.labels) == 1

    @cached_property
    def config(self) -> StudentConfig:
        """The student to compare: one for all rows of a set."""
        first = open_case(self.shown.truth.cases[0], self.shown.truth)
        channels = 3 if first.volume.is_color else 1
        return replace(self.source.student, channels=channels, seed=self.seed)

    def row(
        self, experiment: str, way: str, measure: str, value: float, number: int = 0, detail: str = ""
    ) -> Row:
        """Return one row of this trial."""
        rounded = round(float(value), 4)
        return Row(experiment, self.name, way, self.seed, measure, number, rounded, detail, current_commit())

    def workspace(self, name: str) -> Path:
        """Return a folder of this trial's own, which exists."""
        folder = self.laboratory.folder / f"{self.name}-{self.seed}" / name
        for each in ("labels", "ignore"):
            (folder / each).mkdir(parents=True, exist_ok=True)
        return folder

    def labeler(self, method: str, settings: Mapping[str, str], workspace: Path) -> PseudoLabeler:
        """Return a method with its settings as text."""
        tools = Tools(lambda: self.laboratory.backbone, self.seed, workspace)
        return make_labeler(method, configure(config_type(method), settings), tools)

    def label(self, labeler: PseudoLabeler, folder: Path) -> Made:
        """Label all cases that need labels, and write the labels into a folder."""
        gold = self.shown.visible.part("train").keep(lambda case: case.is_gold)
        found = labeler.label(gold, self.shown.wanted, Silent())
        return self.written(list(found), folder, labeler.name)

    def written(self, found: Sequence[PseudoLabel], folder: Path, method: str) -> Made:
        """Write pseudo-labels, and return the visible set with them."""
        visible, made = self.shown.visible, {}
        for each in found:
            if each.labels is not None:
                case = visible.case(each.case)
                labels, ignore = write_pseudo_label(each, case, visible, folder, method, "bench")
                made[case.name] = replace(case, labels=labels, origin=method, score=each.score, ignore=ignore)
        ordered = sorted(made, key=lambda name: -(made[name].score or 0))
        cases = [made.get(case.name, case) for case in visible.cases]
        reasons = tuple(dict.fromkeys(str(each.reason) for each in found if each.labels is None))
        return Made(visible.with_cases(cases), tuple(ordered), len(found), reasons)

    def student(self, labeled_set: LabeledSet) -> Student:
        """Return the student of these labels."""
        return self.laboratory.student(labeled_set, self.config)

    def student_dice(self, student: Student) -> float:
        """Return the mean Dice over labels and test cases, of whole volumes."""
        scores = []
        for case in self.shown.truth.part("test").cases:
            opened = open_case(case, self.shown.truth)
            found = label_by_student(opened.volume, student, opened.slicing.axis).labels
            scores.append(self._dice(opened.slicing.to_stack(found.voxels), opened.label_stack()))
        return float(np.mean(scores))

    def label_dice(self, made: Made) -> float:
        """Return the mean Dice of pseudo-labels over labels and cases; 0 where there are none."""
        return float(np.mean([self.case_dice(made, name) for name in made.names])) if made.names else 0.0

    def case_dice(self, made: Made, name: str) -> float:
        """Return the mean Dice over the labels of a case, on slices that nobody annotated.

        Ignored voxels, from which no student learns, don't count.
        """
        opened = open_case(made.labeled_set.case(name), made.labeled_set)
        truth = open_case(self.shown.truth.case(name), self.shown.truth).label_stack()
        annotated = self.shown.visible.case(name).annotated_slices or ()
        asked = np.ones(truth.shape, dtype=bool)
        if opened.ignore is not None:
            asked &= ~opened.slicing.to_stack(opened.ignore)
        asked[[opened.slicing.stack_index(index) for index in annotated]] = False
        return self._dice(np.where(asked, opened.label_stack(), 0), np.where(asked, truth, 0))

    def _dice(self, found: UInt[np.ndarray, "S H W"], truth: UInt[np.ndarray, "S H W"]) -> float:
        values = [label.value for label in self.shown.truth.labels]
        return float(np.mean([dice(found == value, truth == value) for value in values]))
