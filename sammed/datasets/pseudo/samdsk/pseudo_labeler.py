"""SamDSK as a pseudo-labeler. A picture's score is β (equation 4), a case's the mean over its pictures.

Slices of a volume that no round selected are ignored. A case without a selected picture has no labels, and
its pseudo-label states the reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from sammed.datasets.labeled_sets.labeled_set import Case, LabeledSet
from sammed.datasets.labeled_sets.pictures import from_pictures, open_case
from sammed.datasets.pseudo.gold_pictures import gold_pictures
from sammed.datasets.pseudo.pseudo_label import PseudoLabel, failure, mean_by_value, nothing_found
from sammed.datasets.pseudo.pseudo_labeler import Tools, attempt
from sammed.datasets.pseudo.samdsk.config import SamDskConfig
from sammed.datasets.pseudo.samdsk.pool import Pool
from sammed.datasets.pseudo.samdsk.round import Round
from sammed.datasets.pseudo.samdsk.rounds import Expansion, Rounds
from sammed.datasets.pseudo.samdsk.selection import Annotation
from sammed.progress import Reporter
from sammed_volumes.labels import smallest_unsigned


class SamDskLabeler:
    """The method `samdsk`, a `sammed.datasets.pseudo.pseudo_labeler.PseudoLabeler`.

    `rounds` are those of the last `label`; there are none before its first pseudo-label.
    """

    name = "samdsk"

    def __init__(self, config: SamDskConfig, tools: Tools) -> None:
        self._config, self._tools = config, tools
        self.rounds: tuple[Round, ...] = ()

    def label(self, gold: LabeledSet, unlabeled: Sequence[Case], reporter: Reporter) -> Iterator[PseudoLabel]:
        """Run all rounds, then label each case. Raises AnnotationError where no gold picture has a label."""
        pool = Pool(gold, unlabeled)
        rounds = Rounds(gold, gold_pictures(gold), pool, self._config, self._tools)
        expansion = rounds.run(reporter)
        self.rounds = expansion.rounds
        for case in unlabeled:
            if case.name in pool.failures:
                yield failure(case.name, pool.failures[case.name])
            else:
                yield attempt(case, partial(_of_case, case, gold, expansion))


def _of_case(case: Case, gold: LabeledSet, expansion: Expansion) -> PseudoLabel:
    opened = open_case(case, gold)
    found = {
        index: expansion.annotations[case.name, index]
        for index in range(opened.slicing.count)
        if (case.name, index) in expansion.annotations
    }
    values = [label.value for label in gold.labels]
    stack = np.zeros(opened.slicing.stack_shape, dtype=smallest_unsigned(max(values)))
    ignore = np.ones(stack.shape, dtype=bool)
    labeled = {index: each for index, each in found.items() if each.labels is not None}
    for index, each in labeled.items():
        stack[index], ignore[index] = each.labels, False
    if not stack.any():
        return nothing_found(case.name, _why(list(found.values())), expansion.digest)
    return PseudoLabel(
        case.name,
        from_pictures(stack, opened, gold),
        score=float(np.mean([each.score for each in labeled.values()])),
        label_scores=_label_scores(list(labeled.values()), values),
        ignore=opened.on_grid(ignore) if ignore.any() else None,
        maker_digest=expansion.digest,
    )


def _label_scores(annotations: Sequence[Annotation], values: Sequence[int]) -> dict[int, float]:
    """Return the mean score of each label over the pictures that have one."""
    return mean_by_value(
        (value, score)
        for each in annotations
        for value, score in zip(values, each.label_scores, strict=True)
        if score is not None
    )


def _why(annotations: Sequence[Annotation]) -> str:
    """Return one sentence on why a case has no labels, with the count of each reason."""
    reasons = Counter(each.reason or "no label was found in it" for each in annotations)
    if len(annotations) == 1:
        return f"Not selected: {next(iter(reasons))}."
    scores = [each for each in annotations if each.reason and each.reason.startswith("its score")]
    parts = [f"{reason} ({times})" for reason, times in reasons.items() if not reason.startswith("its score")]
    if scores:
        best = max(each.score for each in scores)
        parts.append(f"the score is too low, {best:.3f} at best ({len(scores)})")
    return f"None of {len(annotations)} slices was selected: {'; '.join(parts) or 'all are annotated'}."
