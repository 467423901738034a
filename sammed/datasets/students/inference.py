"""Inference: a student labels a volume or picture on its own grid, with its confidence."""

from dataclasses import dataclass

import numpy as np

from sammed.datasets.students.student import Student
from sammed.errors import StudentError
from sammed.storage.provenance import Provenance
from sammed_volumes.intensity import apply, default_window, resolve, with_channels
from sammed_volumes.labels import LabelVolume
from sammed_volumes.slices import plan_slices
from sammed_volumes.volume import Volume, clear_missing


@dataclass(frozen=True, slots=True, eq=False)
class StudentLabels:
    """A label volume, and each label's mean probability 0..1 over the voxels that have it, by value.

    A label that the student did not find has no score. `network` and `student_digest` name the student.
    """

    labels: LabelVolume
    scores: dict[int, float]
    axis: int
    network: str
    student_digest: str
    missing_slices: tuple[int, ...] = ()

    def provenance(self, image_file: str, image_sha256: str) -> Provenance:
        """Return where these labels come from."""
        names = {label.value: label.name for label in self.labels.labels}
        return Provenance(
            image_file=image_file,
            image_sha256=image_sha256,
            origin="pseudo",
            axis=self.axis,
            annotated_slices=(),
            method=f"student/{self.network}",
            skill_digest=self.student_digest,
            scores={names[value]: score for value, score in self.scores.items()},
            missing_slices=self.missing_slices,
        )


def label_by_student(
    volume: Volume, student: Student, axis: int | None = None, student_digest: str = ""
) -> StudentLabels:
    """Label every slice along `axis` (None: the axis that `plan_slices` chooses), shown as in training.

    Raises StudentError where the window shows nothing of the volume.
    """
    slicing = plan_slices(volume.shape, volume.affine_ras_mm, axis)
    low, high = resolve(student.window or default_window(volume), volume, slicing)
    if not low < high:
        raise StudentError("the student's window shows nothing of the image")
    stack = slicing.to_stack(volume.voxels)
    images = []
    for index in range(slicing.count):
        images.append(with_channels(apply(volume.values(stack[index]), low, high)))
    values, highest = _likeliest(student, images)
    voxels = np.array(slicing.from_stack(values), order="C")
    clear_missing(voxels, volume)
    found = LabelVolume(voxels, volume.affine_ras_mm, student.labels)
    scores = {
        label.value: float(highest[values == label.value].mean())
        for label in student.labels
        if (values == label.value).any()
    }
    return StudentLabels(
        found, scores, slicing.axis, student.config.network, student_digest, volume.missing_slices
    )


def _likeliest(student: Student, images: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return label values S H W and their probabilities; keep only one slice's maps for a 2-D student."""
    if student.config.is_3d:
        probabilities = student.volume_probabilities(images)
        return student.values_of(probabilities), probabilities.max(axis=0)
    pairs = []
    for image in images:
        probabilities = student.probabilities(image)
        pairs.append((student.values_of(probabilities), probabilities.max(axis=0).astype(np.float16)))
    return np.stack([values for values, _ in pairs]), np.stack([highest for _, highest in pairs])
