"""The laboratory: what all trials share, a backbone and the students that were trained."""

from functools import cached_property
from pathlib import Path

from bench.pseudo.encoder import caching_backbone
from sammed.backbones.backbone import Backbone
from sammed.datasets.labeled_sets.labeled_set import LabeledSet
from sammed.datasets.labeled_sets.pictures import open_case
from sammed.datasets.students.config import StudentConfig
from sammed.datasets.students.samples import Sample, known_samples, samples_digest
from sammed.datasets.students.student import Student, new_student
from sammed.datasets.students.training import train_on_samples
from sammed.progress import Silent


class Laboratory:
    """A folder to work in, the backbone, and each student, which is trained once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._students: dict[tuple[StudentConfig, str], Student] = {}

    @cached_property
    def backbone(self) -> Backbone:
        """The default backbone, loaded when it is first needed."""
        return caching_backbone()

    def student(self, labeled_set: LabeledSet, config: StudentConfig) -> Student:
        """Return a student of the labeled training cases of a set; the same one for the same samples."""
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
