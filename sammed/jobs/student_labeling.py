"""Labelling images with a student."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sammed.errors import ConfigError, SammedError
from sammed.jobs.inputs import images_in, naming, open_volume
from sammed.jobs.outputs import beside, is_folder, label_file, make_folder
from sammed.jobs.results import LabelingItem, LabelingResult
from sammed.provenance import Provenance, provenance_beside, sha256_of
from sammed_volumes.atomic_file import check_free
from sammed_volumes.errors import VolumeError
from sammed_volumes.formats import write_labels

if TYPE_CHECKING:
    from sammed.progress import Reporter
    from sammed.students.student import Student


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
    from sammed.students.student_file import load_student, student_digest

    student = load_student(request.student)
    digest = student_digest(student)
    student.network.to(choose_device(request.device))
    targets = _targets(request)
    items: list[LabelingItem] = []
    with reporter.task("images", len(targets)) as task:
        try:
            for image, output in targets:
                items.append(_item(request, student, digest, image, output, reporter))
                task.advance()
        except KeyboardInterrupt:
            return LabelingResult(items=tuple(items), interrupted=True)
    return LabelingResult(items=tuple(items))


def _targets(request: StudentLabelingRequest) -> list[tuple[Path, Path]]:
    """Each image with the place of its label volume; ConfigError where two would share one."""
    images = [image for place in request.inputs for image in images_in(place)]
    output = request.output
    if output is not None and not is_folder(output):
        if len(images) > 1:
            raise ConfigError(f"{output} is one file, but there are several images; name a folder.")
        return [(images[0], label_file(output))]
    places = [beside(image, request.suffix) for image in images]
    if output is not None:
        places = [output / place.name for place in places]
    twice = next((place for place in places if places.count(place) > 1), None)
    if twice is not None:
        raise ConfigError(f"Two images would be labelled into {twice}; label them apart.")
    return list(zip(images, places, strict=True))


def _item(
    request: StudentLabelingRequest,
    student: Student,
    digest: str,
    image: Path,
    output: Path,
    reporter: Reporter,
) -> LabelingItem:
    started = time.perf_counter()
    try:
        with naming(image):
            names = _label(request, student, digest, image, output, reporter)
    except (SammedError, VolumeError, OSError) as error:
        seconds = time.perf_counter() - started
        return LabelingItem(image=image, output=None, status="failed", seconds=seconds, error=str(error))
    seconds = time.perf_counter() - started
    return LabelingItem(image=image, output=output, status="done", seconds=seconds, labels=names)


def _label(
    request: StudentLabelingRequest,
    student: Student,
    digest: str,
    image: Path,
    output: Path,
    reporter: Reporter,
) -> tuple[str, ...]:
    """Label one image and write it; the names of the labels that were found."""
    from sammed.students.applying import label_by_student

    if request.output is not None and is_folder(request.output):
        make_folder(request.output)
    check_free(output, overwrite=request.overwrite)
    volume = open_volume(image, None, reporter)
    found = label_by_student(volume, student, request.axis)
    shown = [label for label in student.labels if label.value in found.scores]
    provenance = Provenance(
        image_file=image.name,
        image_sha256=sha256_of(image),
        origin="pseudo",
        axis=found.axis,
        annotated_slices=(),
        method=f"student/{student.config.network}",
        skill_digest=digest,
        scores={label.name: found.scores[label.value] for label in shown},
    )
    with provenance_beside(output, provenance, overwrite=True):
        write_labels(found.labels, output, like=volume, overwrite=request.overwrite)
    return tuple(label.name for label in shown)
