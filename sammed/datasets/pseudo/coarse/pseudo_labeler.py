"""Auto-Generate-WLs as a pseudo-labeler: a student's coarse labels become prompts (section 3).

The score of a label is the Dice of its coarse and weak label: if it is low, one of them is wrong. The
baselines have no coarse label, and their score is 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from sammed.datasets.labeled_sets.labeled_set import Case, LabeledSet
from sammed.datasets.labeled_sets.pictures import OpenCase, from_pictures, open_case
from sammed.datasets.pseudo.coarse.config import CoarseConfig
from sammed.datasets.pseudo.coarse.weak_label import Dropped, WeakLabel, baseline_label, weak_label
from sammed.datasets.pseudo.gold_pictures import gold_pictures
from sammed.datasets.pseudo.pseudo_label import PseudoLabel, mean_by_value, nothing_found, settings_digest
from sammed.datasets.pseudo.pseudo_labeler import Tools, attempt
from sammed.datasets.students.student import Student
from sammed.datasets.students.student_file import student_digest
from sammed.datasets.students.training import train_student
from sammed.embeddings.scan import Scan
from sammed.errors import ConfigError
from sammed.progress import Reporter

CHECKPOINT_NAME = "coarse-student.safetensors"
_WHY: Mapping[Dropped, str] = {
    "empty": "no coarse label",
    "uniform": "nearly all of one class",
    "contradictory": "coarse and weak label disagree",
}

# The weak label of one slice of a case.
Maker = Callable[[Scan, OpenCase, int], WeakLabel]


@dataclass(frozen=True, slots=True, eq=False)
class CoarseLabeler:
    """The method `coarse`, a `sammed.datasets.pseudo.pseudo_labeler.PseudoLabeler`."""

    config: CoarseConfig
    tools: Tools
    name: ClassVar[str] = "coarse"

    def label(self, gold: LabeledSet, unlabeled: Sequence[Case], reporter: Reporter) -> Iterator[PseudoLabel]:
        """Train the student and label every case. Raises AnnotationError where no gold picture is labeled."""
        if self.config.is_baseline:
            maker, digest = self._baseline(gold), settings_digest(self.name, self.config, "")
        else:
            student = self._student(gold, reporter)
            maker = partial(_prompted, student, self.config)
            digest = settings_digest(self.name, self.config, student_digest(student))
        encode = partial(OpenCase.scan, backbone=self.tools.backbone(), cache=self.tools.cache)
        for case in unlabeled:
            yield attempt(case, partial(_label_case, case, gold, encode, maker, digest, reporter))

    def _baseline(self, gold: LabeledSet) -> Maker:
        if len(gold.labels) != 1:
            raise ConfigError(
                f"Without a coarse label the backbone can't tell {len(gold.labels)} labels apart; "
                "use boxes or points as prompts, or a set with one label."
            )
        value = gold.labels[0].value
        return lambda scan, _opened, index: baseline_label(scan, index, value, self.config)

    def _student(self, gold: LabeledSet, reporter: Reporter) -> Student:
        pictures = gold_pictures(gold)
        workspace = self.tools.workspace
        return train_student(
            pictures,
            gold.labels,
            self.config.student(max(each.image.shape[2] for each in pictures), self.tools.seed),
            reporter,
            checkpoint=None if workspace is None else workspace / CHECKPOINT_NAME,
            window=gold.window,
        )


def _prompted(student: Student, config: CoarseConfig, scan: Scan, opened: OpenCase, index: int) -> WeakLabel:
    maps: Float[np.ndarray, "K H W"] = student.probabilities(opened.image(index))
    values = (label.value for label in student.labels)
    return weak_label(scan, index, dict(zip(values, maps[1:], strict=True)), config)


def _label_case(
    case: Case,
    gold: LabeledSet,
    encode: Callable[[OpenCase], Scan],
    maker: Maker,
    digest: str,
    reporter: Reporter,
) -> PseudoLabel:
    opened = open_case(case, gold)
    scan = encode(opened)
    found = []
    with reporter.task(f"slices of {case.name}", opened.slicing.count) as task:
        for index in range(opened.slicing.count):
            found.append(maker(scan, opened, index))
            task.advance()
    kept = [weak for weak in found if weak.values.any()]
    if not kept:
        return nothing_found(case.name, f"No weak label is left: {_dropped(found)}.", digest)
    if len(kept) < len(found):
        reporter.message(f"{case.name}: {_dropped(found)}; {len(kept)} of {len(found)} slices have labels.")
    scores = mean_by_value(pair for weak in found for pair in weak.agreement.items())
    return PseudoLabel(
        case.name,
        from_pictures(np.stack([weak.values for weak in found]), opened, gold),
        score=float(np.mean(list(scores.values()))) if scores else 0.0,
        label_scores=scores,
        ignore=opened.on_grid(np.stack([weak.ignore for weak in found])),
        maker_digest=digest,
    )


def _dropped(found: Sequence[WeakLabel]) -> str:
    """Return why slices have no label, with counts: "no coarse label in 3 slices"."""
    without = [weak for weak in found if not weak.values.any()]
    # An empty mask that was not dropped as uniform counts as a missing one.
    reasons = [max(weak.dropped.values(), key=tuple(_WHY).index, default="empty") for weak in without]
    counts = {reason: reasons.count(reason) for reason in _WHY}
    return ", ".join(
        f"{_WHY[reason]} in {count} slice{'s' if count > 1 else ''}"
        for reason, count in counts.items()
        if count
    )
