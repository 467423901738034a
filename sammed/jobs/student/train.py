"""`student train`: train a network on a labeled set."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from sammed.datasets.labeled_sets.gathered import Problem
from sammed.datasets.labeled_sets.labeled_set import Case, LabeledSet
from sammed.datasets.labeled_sets.pictures import OpenCase, open_case
from sammed.datasets.labeled_sets.set_file import read_set
from sammed.datasets.settings import configure
from sammed.datasets.students.config import NetworkName, StudentConfig
from sammed.datasets.students.samples import Sample, known_samples
from sammed.datasets.students.student import new_student
from sammed.datasets.students.student_file import save_student
from sammed.datasets.students.training import train_on_samples
from sammed.errors import AnnotationError, ConfigError, SammedError
from sammed.jobs.validation import MODEL_SUFFIX, check_model
from sammed.progress import Reporter
from sammed.storage.outputs import folder_for_output
from sammed_volumes.atomic_file import check_free
from sammed_volumes.errors import VolumeError


@dataclass(frozen=True, slots=True, kw_only=True)
class StudentTrainRequest:
    """Train a student on the training cases of a set, and write it to `output`.

    `settings` are fields of `StudentConfig` as text, by name; they take precedence over `network`, `seed` and
    `device`. `gold_only` leaves out pseudo-labels; `pseudo_weight` multiplies their loss. `log` is a folder
    for TensorBoard files and curves, by default NAME-log beside the student. An interrupted training resumes
    when the same request comes again.
    """

    labeled_set: Path
    output: Path
    network: NetworkName = "unet++"
    settings: Mapping[str, str] = field(default_factory=dict)
    gold_only: bool = False
    pseudo_weight: float = 1.0
    seed: int = 0
    device: str = "auto"
    log: Path | None = None
    overwrite: bool = False

    def __post_init__(self) -> None:
        check_model("student", self.output)
        if self.pseudo_weight < 0:
            raise ConfigError(f"The weight of pseudo-labels is 0 or more, not {self.pseudo_weight:g}.")
        self.config()

    def config(self) -> StudentConfig:
        """Return the student's config; raises ConfigError for an unknown or invalid setting."""
        own = {"network": self.network, "seed": str(self.seed), "device": self.device}
        return configure(StudentConfig, {**own, **self.settings})

    @property
    def checkpoint(self) -> Path:
        """The file with the state of an unfinished training."""
        return self.output.with_name(f"{self.output.stem}.checkpoint{MODEL_SUFFIX}")

    @property
    def log_folder(self) -> Path:
        """The folder for logs."""
        return self.log or self.output.with_name(f"{self.output.stem}-log")


@dataclass(frozen=True, slots=True, kw_only=True)
class StudentTrainResult:
    """A trained student. Samples are pictures, or volumes for a 3-D network."""

    student: Path
    network: str
    labels: tuple[str, ...]
    gold_cases: int
    pseudo_cases: int
    samples: int
    steps: int
    loss: float
    log: Path
    problems: tuple[Problem, ...]
    seconds: float

    def to_json(self) -> dict[str, object]:
        """Return the object that `sammed student train --json` prints."""
        paths = {"student": str(self.student), "log": str(self.log)}
        return {**asdict(self), **paths, "loss": round(self.loss, 6), "seconds": round(self.seconds, 3)}


def student_train(request: StudentTrainRequest, reporter: Reporter) -> StudentTrainResult:
    """Train and write a student; the result reports unreadable cases, which are left out."""
    check_free(request.output, overwrite=request.overwrite)
    started = time.perf_counter()
    labeled_set = read_set(request.labeled_set)
    gathering = _Gathering(request, labeled_set)
    with reporter.task("reading cases", len(gathering.cases) + len(gathering.validation)) as task:
        samples = list(gathering.samples(gathering.cases, task.advance))
        validation = list(gathering.samples(gathering.validation, task.advance))
    if not samples:
        first = f" {gathering.problems[0].reason}" if gathering.problems else ""
        raise AnnotationError(f"{request.labeled_set} has no labeled training case to learn from.{first}")
    student = new_student(gathering.config, labeled_set.labels, labeled_set.window)
    with folder_for_output(request.log_folder):
        rows = train_on_samples(
            student,
            samples,
            reporter,
            validation=validation,
            checkpoint=request.checkpoint,
            log=request.log_folder,
        )
    save_student(student, request.output, overwrite=request.overwrite)
    request.checkpoint.unlink(missing_ok=True)
    return StudentTrainResult(
        student=request.output,
        network=gathering.config.network,
        labels=tuple(label.name for label in labeled_set.labels),
        gold_cases=sum(case.is_gold for case in gathering.used),
        pseudo_cases=sum(not case.is_gold for case in gathering.used),
        samples=len(samples),
        steps=rows[-1].step,
        loss=rows[-1].loss,
        log=request.log_folder,
        problems=tuple(gathering.problems),
        seconds=time.perf_counter() - started,
    )


class _Gathering:
    """The samples of a set; an unreadable case becomes a problem."""

    def __init__(self, request: StudentTrainRequest, labeled_set: LabeledSet) -> None:
        self._request, self._set = request, labeled_set
        self.config = request.config()
        training = labeled_set.part("train").cases
        self.cases = [
            case for case in training if case.is_labeled and (case.is_gold or not request.gold_only)
        ]
        self.validation = list(labeled_set.part("validation").gold)
        self.problems: list[Problem] = []
        self.used: list[Case] = []
        self._is_first = True

    def samples(self, cases: list[Case], advance: Callable[[], None]) -> Iterator[Sample]:
        """Yield the samples of these cases that show something known."""
        for case in cases:
            weight = 1.0 if case.is_gold else self._request.pseudo_weight
            try:
                opened = open_case(case, self._set)
            except (SammedError, VolumeError, OSError) as error:
                self.problems.append(Problem(case.name, str(error)))
                continue
            self._take_channels(opened)
            if cases is self.cases:
                self.used.append(case)
            yield from known_samples(opened, self._set.labels, self.config, weight)
            advance()

    def _take_channels(self, opened: OpenCase) -> None:
        """Let the first image decide whether the student sees color, unless the settings do."""
        if self._is_first and "channels" not in self._request.settings:
            self.config = replace(self.config, channels=3 if opened.volume.is_color else 1)
        self._is_first = False
