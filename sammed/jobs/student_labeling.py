"""Labeling images with a student."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sammed.batch.sources import Source, find_sources
from sammed.batch.targets import Target
from sammed.errors import ConfigError, SammedError
from sammed.jobs.inputs import naming, open_volume
from sammed.jobs.outputs import is_folder, label_file, make_folder
from sammed.jobs.results import LabelingItem, LabelingResult
from sammed.storage.provenance import Provenance, provenance_beside, sha256_of
from sammed_volumes.atomic_file import check_free
from sammed_volumes.errors import VolumeError
from sammed_volumes.formats import write_labels

if TYPE_CHECKING:
    from sammed.datasets.students.inference import StudentLabels
    from sammed.datasets.students.student import Student
    from sammed.progress import Reporter


@dataclass(frozen=True, slots=True, kw_only=True)
class StudentLabelingRequest:
    """Label images, or the images in folders, with a student.

    `output` is a file for a single image, else a folder; None puts each label volume beside its image.
    """

    student: Path
    inputs: tuple[Path, ...]
    output: Path | None = None
    suffix: str = ".nii.gz"
    axis: int | None = None
    device: str = "auto"
    overwrite: bool = False

    def __post_init__(self) -> None:
        if not self.inputs:
            raise ConfigError("There is nothing to label: give an image or a folder.")
        if self.axis not in (None, 0, 1, 2):
            raise ConfigError(f"The slice axis must be 0, 1 or 2, not {self.axis}.")


def label_with_student(request: StudentLabelingRequest, reporter: Reporter) -> LabelingResult:
    """Label image after image; a bad one is told and the others still done. Ctrl-C keeps what is done."""
    from sammed.backbones.device import choose_device
    from sammed.datasets.students.student_file import load_student, student_digest

    student = load_student(request.student)
    digest = student_digest(student)
    student.network.to(choose_device(request.device))
    targets = _targets(request)
    job = _Job(request, student, digest, reporter)
    items: list[LabelingItem] = []
    with reporter.task("images", len(targets)) as task:
        try:
            for target in targets:
                items.append(job.item(target))
                task.advance()
        except KeyboardInterrupt:
            return LabelingResult(items=tuple(items), interrupted=True)
    return LabelingResult(items=tuple(items))


def _targets(request: StudentLabelingRequest) -> list[Target]:
    """Each image with the place of its label volume; ConfigError where two would share one."""
    sources = find_sources(request.inputs)
    output = request.output
    if output is not None and not is_folder(output):
        if len(sources.found) > 1:
            raise ConfigError(f"{output} is one file, but there are several images; name a folder.")
        (source,) = sources.found
        return [Target(source.image, label_file(output, source.image), source.series)]
    targets = [
        Target(source.image, _place(source, output, request.suffix), source.series)
        for source in sources.found
    ]
    places = [target.output for target in targets]
    twice = next((place for place in places if places.count(place) > 1), None)
    if twice is not None:
        raise ConfigError(f"Two images would be labeled into {twice}; label them apart.")
    return targets


def _place(source: Source, output: Path | None, suffix: str) -> Path:
    """Beside the image, or in the output folder at the same place as below the folder that was named."""
    name = f"{source.name}_label{suffix}"
    place = source.image.with_name(name) if output is None else output / source.below / name
    return label_file(place, source.image)


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    """What every image is labeled with."""

    request: StudentLabelingRequest
    student: Student
    digest: str
    reporter: Reporter

    def item(self, target: Target) -> LabelingItem:
        """Label one image; what is wrong with it becomes its error."""
        started = time.perf_counter()
        try:
            with naming(target.image):
                found = self._label(target)
        except (SammedError, VolumeError, OSError) as error:
            seconds = time.perf_counter() - started
            return LabelingItem(
                image=target.image, output=None, status="failed", seconds=seconds, error=str(error)
            )
        return LabelingItem(
            image=target.image,
            output=target.output,
            status="done",
            seconds=time.perf_counter() - started,
            slices=found.labeled_slices(),
            labels=tuple(label.name for label in self.student.labels if label.value in found.scores),
        )

    def _label(self, target: Target) -> StudentLabels:
        """Label one image and write it."""
        from sammed.datasets.students.inference import label_by_student

        if self.request.output is not None and is_folder(self.request.output):
            make_folder(target.output.parent)
        check_free(target.output, overwrite=self.request.overwrite)
        volume = open_volume(target.image, target.series, self.reporter)
        found = label_by_student(volume, self.student, self.request.axis)
        provenance = Provenance(
            image_file=target.image.name,
            image_sha256=sha256_of(target.image),
            origin="pseudo",
            axis=found.axis,
            annotated_slices=(),
            method=f"student/{self.student.config.network}",
            skill_digest=self.digest,
            scores={
                label.name: found.scores[label.value]
                for label in self.student.labels
                if label.value in found.scores
            },
        )
        # Labels without their provenance would pass for a person's.
        with provenance_beside(target.output, provenance, overwrite=True):
            write_labels(found.labels, target.output, like=volume, overwrite=self.request.overwrite)
        return found
