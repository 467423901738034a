"""The laboratory: pseudo-labels by any method, students on any set, and how good both are."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from pseudo_sets import Draw, Source, draw
from torch import Tensor

from sammed.backbones.backbone import Backbone, ImageEncoder
from sammed.backbones.loading import load_backbone
from sammed.datasets.labeled_sets.labeled_set import LabeledSet
from sammed.datasets.labeled_sets.pictures import open_case
from sammed.datasets.pseudo.filtering import Filter, apply_filter
from sammed.datasets.pseudo.methods import config_type, make_labeler
from sammed.datasets.pseudo.pseudo_label import PseudoLabel, nothing_found
from sammed.datasets.pseudo.pseudo_labeler import PseudoLabeler, Tools
from sammed.datasets.settings import configure
from sammed.datasets.students.config import StudentConfig
from sammed.datasets.students.inference import label_by_student
from sammed.datasets.students.samples import Sample, known_samples, samples_digest
from sammed.datasets.students.student import Student, new_student
from sammed.datasets.students.training import train_on_samples
from sammed.embeddings.cache import EmbeddingCache
from sammed.embeddings.cache_config import configured
from sammed.jobs.pseudo_label_files import write_pseudo_label
from sammed.metrics.evaluation import dice
from sammed.progress import Silent

ALL = Filter()  # trusts every label


@dataclass(frozen=True, slots=True, eq=False)
class Remembering:
    """An image encoder that finds in the cache what any method or seed has encoded before.

    The methods keep embeddings as long as a case lasts; a bench asks for the same ones again and again.
    """

    encoder: ImageEncoder
    digest: str
    size: int
    cache: EmbeddingCache

    def __call__(self, pixels: Tensor) -> Tensor:
        return torch.cat([self._one(each[None]) for each in pixels])

    def _one(self, pixels: Tensor) -> Tensor:
        key = hashlib.sha256(pixels.cpu().contiguous().numpy().tobytes()).hexdigest()
        found = self.cache.get(self.digest, key, self.size)
        if found is None:
            found = self.encoder(pixels)[0].half().cpu()
            self.cache.put(self.digest, key, found)
        return found.float().to(pixels.device)[None]


def remembering_backbone() -> Backbone:
    """The default backbone with embeddings in the user's cache."""
    backbone = load_backbone(runtime="auto")
    cache = EmbeddingCache(configured())
    digest = hashlib.sha256(f"bench {backbone.digest}".encode()).hexdigest()
    encoder = Remembering(backbone.image_encoder, digest, backbone.embedding_size, cache)
    return replace(backbone, image_encoder=encoder)


@dataclass(frozen=True, slots=True)
class Made:
    """The visible set with a method's labels in it; `names` are the cases that got some, best score first."""

    labeled_set: LabeledSet
    names: tuple[str, ...]
    asked: int
    reasons: tuple[str, ...]

    def only(self, names: Iterable[str], visible: LabeledSet) -> LabeledSet:
        """The set with these cases' labels; others are as they were."""
        kept = set(names)
        cases = [self.labeled_set.case(each.name) if each.name in kept else each for each in visible.cases]
        return visible.with_cases(cases)

    @property
    def coverage(self) -> str:
        """How many of the cases got labels, and why others got none."""
        others = f"; {self.reasons[0]}" if self.reasons else ""
        return f"{len(self.names)} of {self.asked} cases labeled{others}"


class Laboratory:
    """What all trials share."""

    def __init__(self, folder: Path, backbone: Backbone | None = None) -> None:
        self.folder = folder
        self._backbone = backbone
        self._students: dict[tuple[StudentConfig, str], Student] = {}

    @property
    def backbone(self) -> Backbone:
        """Loaded when it is first asked for."""
        if self._backbone is None:
            self._backbone = remembering_backbone()
        return self._backbone

    def student(self, labeled_set: LabeledSet, config: StudentConfig) -> Student:
        """A student of the set's labeled training cases; of the same samples the same student."""
        samples: list[Sample] = []
        for case in labeled_set.part("train").cases:
            if case.is_labeled:
                samples += known_samples(open_case(case, labeled_set), labeled_set.labels, config)
        key = (config, samples_digest(samples))
        if key not in self._students:
            student = new_student(config, labeled_set.labels, labeled_set.window)
            train_on_samples(student, samples, Silent())
            self._students[key] = student
        return self._students[key]


class Trial:
    """One set, split and shown by one seed."""

    def __init__(self, laboratory: Laboratory, name: str, source: Source, seed: int) -> None:
        self.laboratory, self.name, self.source, self.seed = laboratory, name, source, seed
        self.drawn: Draw = draw(source, seed)

    @property
    def labels(self) -> int:
        """How many labels there are."""
        return len(self.source.truth.labels)

    @cached_property
    def config(self) -> StudentConfig:
        """The student that is compared: one for all of a set's rows."""
        first = open_case(self.drawn.truth.cases[0], self.drawn.truth)
        channels = 3 if first.volume.is_color else 1
        return replace(self.source.student, channels=channels, seed=self.seed)

    def workspace(self, name: str) -> Path:
        """A folder of this trial's."""
        folder = self.laboratory.folder / f"{self.name}-{self.seed}" / name
        for each in ("labels", "ignore"):
            (folder / each).mkdir(parents=True, exist_ok=True)
        return folder

    def labeler(self, method: str, settings: Mapping[str, str], workspace: Path) -> PseudoLabeler:
        """A method with its settings as text."""
        tools = Tools(lambda: self.laboratory.backbone, self.seed, workspace)
        return make_labeler(method, configure(config_type(method), settings), tools)

    def label(self, labeler: PseudoLabeler, folder: Path, trusted: Filter = ALL) -> Made:
        """What the method makes of all cases that want labels, without what is not to be trusted."""
        visible = self.drawn.visible
        gold = visible.part("train").keep(lambda case: case.is_gold)
        found = [_judged(each, trusted) for each in labeler.label(gold, self.drawn.wanted, Silent())]
        return self.written(found, folder, labeler.name)

    def written(self, found: Sequence[PseudoLabel], folder: Path, method: str) -> Made:
        """Pseudo-labels as files, and the visible set with them."""
        visible, made = self.drawn.visible, {}
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
        """The set's student, trained on these labels."""
        return self.laboratory.student(labeled_set, self.config)

    def student_dice(self, student: Student) -> float:
        """Mean Dice over labels and test cases, whole volumes."""
        scores = []
        for case in self.drawn.truth.part("test").cases:
            opened = open_case(case, self.drawn.truth)
            found = label_by_student(opened.volume, student, opened.slicing.axis).labels
            scores.append(self._dice(opened.slicing.to_stack(found.voxels), opened.label_stack()))
        return float(np.mean(scores))

    def label_dice(self, made: Made) -> float:
        """Mean Dice of pseudo-labels over labels and cases, on slices that nobody annotated.

        Ignored voxels, from which no student learns, don't count.
        """
        return float(np.mean([self.case_dice(made, name) for name in made.names])) if made.names else 0.0

    def case_dice(self, made: Made, name: str) -> float:
        """That of one case, mean over its labels."""
        shown = self.drawn.visible.case(name)
        opened = open_case(made.labeled_set.case(name), made.labeled_set)
        truth = open_case(self.drawn.truth.case(name), self.drawn.truth).label_stack()
        asked = np.ones(truth.shape, dtype=bool)
        if opened.ignore is not None:
            asked &= ~opened.slicing.to_stack(opened.ignore)
        for index in range(opened.slicing.count):
            if opened.slicing.array_index(index) in (shown.annotated_slices or ()):
                asked[index] = False
        return self._dice(np.where(asked, opened.label_stack(), 0), np.where(asked, truth, 0))

    def _dice(self, found: np.ndarray, truth: np.ndarray) -> float:
        values = [label.value for label in self.drawn.truth.labels]
        return float(np.mean([dice(found == value, truth == value) for value in values]))


def _judged(found: PseudoLabel, trusted: Filter) -> PseudoLabel:
    if found.labels is None:
        return found
    judged = apply_filter(found, trusted)
    return judged.pseudo_label or nothing_found(found.case, judged.reason or "It is not to be trusted.")
