"""`student label`: label volumes, pictures, and folders of them with a student."""

from dataclasses import dataclass
from pathlib import Path

from sammed.backbones.device import choose_device
from sammed.batch.labeling import label_batch
from sammed.batch.maker import MakeLabels
from sammed.batch.manifest import Recipe
from sammed.batch.place import Place
from sammed.batch.request import BatchRequest
from sammed.batch.result import LabelingResult
from sammed.datasets.students.inference import StudentLabels, label_by_student
from sammed.datasets.students.student import Student
from sammed.datasets.students.student_file import load_student, student_digest
from sammed.jobs.validation import check_axis
from sammed.progress import Reporter
from sammed_volumes.volume import Volume


@dataclass(frozen=True, slots=True, kw_only=True)
class StudentLabelRequest(BatchRequest):
    """Label the images of `BatchRequest` with a student.

    Slices are along `axis`; None is the axis with the coarsest spacing.
    """

    student: Path
    axis: int | None = None
    device: str = "auto"

    def __post_init__(self) -> None:
        BatchRequest.__post_init__(self)
        check_axis(self.axis)


def student_label(request: StudentLabelRequest, reporter: Reporter) -> LabelingResult:
    """Label every image, see `label_batch`; raises StudentError for an unreadable student."""
    student = load_student(request.student)
    choose_device(request.device)
    maker = StudentMaker(student, student_digest(student), request.axis, request.device)
    return label_batch(request, maker, reporter)


@dataclass(frozen=True, slots=True)
class StudentMaker:
    """A student as a maker of labels: read once, moved to its device once in each process."""

    student: Student
    digest: str
    axis: int | None
    device: str

    @property
    def recipe(self) -> Recipe:
        """Everything that the labels depend on."""
        return Recipe(self.digest, {"axis": "auto" if self.axis is None else str(self.axis)})

    def load(self, place: Place | None) -> MakeLabels:
        """Move the student to its device: the worker's GPU if it has one."""
        device = self.device
        if place is not None and place.gpu is not None and device in ("auto", "cuda"):
            device = f"cuda:{place.gpu}"
        self.student.network.to(choose_device(device))

        def label(volume: Volume, reporter: Reporter) -> StudentLabels:
            return label_by_student(volume, self.student, self.axis, self.digest)

        return label
