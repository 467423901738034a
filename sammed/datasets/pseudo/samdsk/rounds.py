"""SamDSK's rounds: train, match, add good matches, and repeat until nothing is added (3, figure 2)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from sammed.backbones.backbone import Backbone
from sammed.datasets.labeled_sets.labeled_set import LabeledSet
from sammed.datasets.labeled_sets.pictures import Picture
from sammed.datasets.pseudo.proposals.box_sizes import sizes_of_labels
from sammed.datasets.pseudo.proposals.proposals import Proposals
from sammed.datasets.pseudo.proposals.proposing import check_source, propose
from sammed.datasets.pseudo.pseudo_labeler import Tools
from sammed.datasets.pseudo.samdsk.config import SamDskConfig
from sammed.datasets.pseudo.samdsk.pool import Candidate, Key, Pool, ProposalStore
from sammed.datasets.pseudo.samdsk.round import Round
from sammed.datasets.pseudo.samdsk.selection import (
    Annotation,
    annotate_by_matching,
    annotate_by_student,
    is_selected,
    likeliest,
)
from sammed.datasets.students.config import StudentConfig
from sammed.datasets.students.samples import Sample, picture_sample
from sammed.datasets.students.student import Student, new_student
from sammed.datasets.students.student_file import student_digest
from sammed.datasets.students.training import train_on_samples
from sammed.progress import Reporter

CHECKPOINT_NAME = "samdsk-round-{}.safetensors"
PROPOSALS_FOLDER = "samdsk-proposals"


@dataclass(frozen=True, slots=True, eq=False)
class Expansion:
    """The result of the rounds: an annotation for each picture, including those without labels."""

    annotations: Mapping[Key, Annotation]
    rounds: tuple[Round, ...]
    digest: str


@dataclass(frozen=True, slots=True, eq=False)
class _Tried:
    """The result of a round for one picture, with a training sample if it is selected."""

    annotation: Annotation
    sample: Sample | None


class Rounds:
    """The growing labeled set: gold pictures first, then machine-labeled ones with weight λ."""

    def __init__(
        self, gold: LabeledSet, pictures: Sequence[Picture], pool: Pool, config: SamDskConfig, tools: Tools
    ) -> None:
        self._labels, self._window = gold.labels, gold.window
        self._values = [label.value for label in gold.labels]
        config.check_labels(self._values)
        self._config, self._tools, self._pool = config, tools, pool
        self._student_config = _student_config(config, pictures, tools.seed)
        self._samples = [picture_sample(each, gold.labels, self._student_config) for each in pictures]
        self._store = _store(config, tools, pictures) if config.selection == "samdsk" else None
        self._digest = hashlib.sha256(repr(config).encode())

    def run(self, reporter: Reporter) -> Expansion:
        """Run all rounds. A selected picture keeps the annotation of the round that selected it."""
        selected: dict[Key, Annotation] = {}
        rejected: dict[Key, Annotation] = {}
        rounds: list[Round] = []
        student: Student | None = None
        for number in range(self._config.most_rounds):
            student = student or self._train(number, reporter)
            trained_on = len(self._samples)
            tried = self._try_all(student, number, selected, reporter)
            added = {key: each.annotation for key, each in tried.items() if each.sample is not None}
            rejected = {key: each.annotation for key, each in tried.items() if each.sample is None}
            self._samples += [each.sample for each in tried.values() if each.sample is not None]
            selected |= added
            rounds.append(
                _summary(number + 1, trained_on, [each.annotation for each in tried.values()], added)
            )
            reporter.message(rounds[-1].sentence)
            may_add_later = self._store is not None and self._config.changes_after(number)
            if not rejected or not (added or may_add_later):
                break
            student = None if added else student  # the same pictures would give the same student
        return Expansion(rejected | selected, tuple(rounds), self._digest.hexdigest())

    def _train(self, number: int, reporter: Reporter) -> Student:
        """Train a student from scratch on all pictures labeled so far (equation 5)."""
        student = new_student(self._student_config, self._labels, self._window)
        workspace = self._tools.workspace
        checkpoint = None if workspace is None else workspace / CHECKPOINT_NAME.format(number + 1)
        train_on_samples(student, self._samples, reporter, checkpoint=checkpoint)
        self._digest.update(student_digest(student).encode())
        return student

    def _try_all(
        self, student: Student, number: int, done: Mapping[Key, Annotation], reporter: Reporter
    ) -> dict[Key, _Tried]:
        with reporter.task(f"round {number + 1}", len(self._pool.cases)) as task:
            candidates = self._pool.candidates(done, task.advance)
            return {each.key: self._try(each, student, number) for each in candidates}

    def _try(self, candidate: Candidate, student: Student, number: int) -> _Tried:
        annotation = self._annotate(candidate, student, number)
        if not is_selected(annotation, self._config):
            return _Tried(_rejected(annotation, self._config), None)
        picture = Picture(candidate.case, candidate.index, candidate.image, annotation.labels)
        return _Tried(
            annotation, picture_sample(picture, self._labels, self._student_config, self._config.weight)
        )

    def _annotate(self, candidate: Candidate, student: Student, number: int) -> Annotation:
        probabilities = student.probabilities(candidate.image)
        if self._store is None:
            return annotate_by_student(probabilities, self._values)
        limits = [self._config.limits(value, number) for value in self._values]
        maps = probabilities[1:] if self._config.maps == "soft" else likeliest(probabilities)[1:]
        proposals = self._store.proposals(candidate)
        return annotate_by_matching(proposals, maps, self._values, limits, self._config)


def _student_config(config: SamDskConfig, pictures: Sequence[Picture], seed: int) -> StudentConfig:
    channels = max((each.image.shape[2] for each in pictures), default=1)
    return replace(config.student, channels=channels, seed=seed)


def _store(config: SamDskConfig, tools: Tools, pictures: Sequence[Picture]) -> ProposalStore:
    backbone: Backbone = tools.backbone()
    check_source(backbone, config.proposals)
    label_maps = (each.labels for each in pictures if each.labels is not None)
    sizes = sizes_of_labels(label_maps, config.proposals) if config.proposals.from_gold else ()

    def make(candidate: Candidate) -> Proposals:
        return propose(backbone, candidate.image, candidate.pixel_spacing_mm, config.proposals, sizes)

    maker = hashlib.sha256(f"{backbone.digest} {config.proposals} {sizes}".encode()).hexdigest()
    folder = None if tools.workspace is None else tools.workspace / PROPOSALS_FOLDER
    return ProposalStore(make, maker, folder)


def _rejected(annotation: Annotation, config: SamDskConfig) -> Annotation:
    if annotation.labels is None:
        return annotation
    reason = f"its score {annotation.score:.3f} is not above {config.threshold:g}"
    if not annotation.labels.any():
        reason = "no label was found in it"
    kept = annotation.labels if config.keep_rejected else None
    return replace(annotation, labels=kept, reason=reason)


def _summary(
    number: int, trained_on: int, tried: Sequence[Annotation], added: Mapping[Key, Annotation]
) -> Round:
    return Round(
        number=number,
        trained_on=trained_on,
        tried=len(tried),
        added=len(added),
        mean_score=_mean(each.score for each in tried if each.label_scores),
        mean_score_added=_mean(each.score for each in added.values()),
        inexact=sum(not each.is_exact for each in tried),
    )


def _mean(scores: Iterator[float]) -> float | None:
    known = list(scores)
    return sum(known) / len(known) if known else None
