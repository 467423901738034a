"""Prompts from class activation maps as a pseudo-labeler, which learns only from the presence of labels.

The score of a label is the classifier's probability that the picture holds it (for a volume, the mean over
the labeled slices); it does not judge the outline.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from sammed.backbones.backbone import Backbone
from sammed.datasets.labeled_sets.labeled_set import Case, LabeledSet
from sammed.datasets.labeled_sets.pictures import OpenCase, from_pictures, open_case
from sammed.datasets.pseudo.cam.config import CamConfig
from sammed.datasets.pseudo.cam.map_prompts import map_prompts
from sammed.datasets.pseudo.cam.reading import Reader, train_readers
from sammed.datasets.pseudo.cam.viewing import view
from sammed.datasets.pseudo.pseudo_label import PseudoLabel, mean_by_value, nothing_found, settings_digest
from sammed.datasets.pseudo.pseudo_labeler import Tools, attempt
from sammed.datasets.pseudo.slice_logits import highest_label, prompted_logits
from sammed.embeddings.cache import EmbeddingCache
from sammed.embeddings.scan import Scan
from sammed.progress import Reporter


@dataclass(frozen=True, slots=True, eq=False)
class Finding:
    """A finding in one slice: a value's logits, and the probability that the slice holds it."""

    value: int
    logits: Float[np.ndarray, "H W"]
    probability: float


@dataclass(frozen=True, slots=True, eq=False)
class CamLabeler:
    """The method `cam`, a `sammed.datasets.pseudo.pseudo_labeler.PseudoLabeler`."""

    config: CamConfig
    tools: Tools
    name: ClassVar[str] = "cam"

    def label(self, gold: LabeledSet, unlabeled: Sequence[Case], reporter: Reporter) -> Iterator[PseudoLabel]:
        """Learn the classifiers and label every case; AnnotationError where none can tell classes apart."""
        backbone = self.tools.backbone()
        readers = train_readers(gold, self.config, self.tools.seed, backbone, reporter, self.tools.cache)
        learned = " ".join(reader.classifier.digest() for reader in readers)
        digest = settings_digest(self.name, self.config, learned)
        job = _Job(gold, backbone, readers, self.config, digest, reporter, self.tools.cache)
        for case in unlabeled:
            yield attempt(case, partial(job.label, case))


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    """What is needed to label every case."""

    gold: LabeledSet
    backbone: Backbone
    readers: Sequence[Reader]
    config: CamConfig
    digest: str
    reporter: Reporter
    cache: EmbeddingCache | None

    def label(self, case: Case) -> PseudoLabel:
        """Return the pseudo-label of one case."""
        opened = open_case(case, self.gold)
        slices = self._slices(case, opened)
        shape = opened.slicing.stack_shape[1:]
        stack = [highest_label({each.value: each.logits for each in found}, shape) for found in slices]
        if not any(values.any() for values in stack):
            names = sorted({name for reader in self.readers for name in reader.task.label_names})
            reason = f"The classifier finds no {' or '.join(names)}."
            return nothing_found(case.name, reason, self.digest)
        scores = mean_by_value((each.value, each.probability) for found in slices for each in found)
        return PseudoLabel(
            case.name,
            from_pictures(np.stack(stack), opened, self.gold),
            score=float(np.mean(list(scores.values()))),
            label_scores=scores,
            maker_digest=self.digest,
        )

    def _slices(self, case: Case, opened: OpenCase) -> list[list[Finding]]:
        """Return the findings in each slice of the stack."""
        scan = opened.scan(self.backbone, cache=self.cache)
        slices = []
        with self.reporter.task(f"slices of {case.name}", opened.slicing.count) as task:
            for index in range(opened.slicing.count):
                slices.append(list(self._findings(scan, index)))
                task.advance()
        return slices

    def _findings(self, scan: Scan, index: int) -> Iterator[Finding]:
        """Yield what each reader finds in a slice, outlined by the backbone."""
        pixels = view(scan, index, self.config)[None]
        shape = scan.frame.height, scan.frame.width
        for reader in self.readers:
            probabilities = reader.classifier.probabilities(pixels)[0]
            class_index = int(probabilities.argmax())
            value = reader.task.values[class_index]
            if not value:
                continue
            prompts = list(map_prompts(reader.map(pixels, class_index, shape), self.config))
            if prompts:
                logits = prompted_logits(scan, index, prompts)
                yield Finding(value, logits, float(probabilities[class_index]))
