"""Training a student on a labeled set."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sammed.datasets.labeled_sets.gathered import Problem
from sammed.datasets.labeled_sets.pictures import OpenCase, open_case
from sammed.datasets.labeled_sets.set_file import read_set
from sammed.datasets.settings import configure
from sammed.datasets.students.config import NetworkName, StudentConfig
from sammed.errors import AnnotationError, ConfigError, SammedError
from sammed.storage.outputs import folder_for_output
from sammed_volumes.atomic_file import check_free
from sammed_volumes.errors import VolumeError

if TYPE_CHECKING:
    from sammed.datasets.labeled_sets.labeled_set import Case, LabeledSet
    from sammed.datasets.students.samples import Sample
    from sammed.progress import Reporter

STUDENT_SUFFIX = ".safetensors"


@dataclass(frozen=True, slots=True, kw_only=True)
class StudentTrainingRequest:
    """Train a student on the training cases of a set, and write it to `output`.

    `settings` are those of `StudentConfig` as text, by name, and go before `network` and `seed`. `gold_only`
    leaves pseudo-labels out; `pseudo_weight` multiplies their loss. `log` is a folder for TensorBoard and
    curves, by default NAME-log beside the student. A training that was interrupted goes on where it was.
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
        if self.output.suffix.lower() != STUDENT_SUFFIX:
            raise ConfigError(f"A student's name ends in {STUDENT_SUFFIX}; {self.output} does not.")
        if self.pseudo_weight < 0:
            raise ConfigError(f"The weight of pseudo-labels is 0 or more, not {self.pseudo_weight:g}.")
        self.config()

    def config(self) -> StudentConfig:
        """The student's config; ConfigError for a setting that there isn't."""
        own = {"network": self.network, "seed": str(self.seed), "device": self.device}
        return configure(StudentConfig, {**own, **self.settings})

    @property
    def checkpoint(self) -> Path:
        """Where the state of an unfinished training is kept."""
        return self.output.with_name(f"{self.output.stem}.checkpoint{STUDENT_SUFFIX}")

    @property
    def log_folder(self) -> Path:
        """Where logs go."""
        return self.log or self.output.with_name(f"{self.output.stem}-log")


@dataclass(frozen=True, slots=True, kw_only=True)
class StudentTrainingResult:
    """A student that was trained. Samples are pictures, or volumes for a 3-D network."""

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
        """The object that `sammed student train --json` prints."""
        return {
            "student": str(self.student),
            "network": self.network,
            "labels": list(self.labels),
            "gold_cases": self.gold_cases,
            "pseudo_cases": self.pseudo_cases,
            "samples": self.samples,
            "steps": self.steps,
            "loss": round(self.loss, 6),
            "log": str(self.log),
            "problems": [{"case": problem.case, "reason": problem.reason} for problem in self.problems],
            "seconds": round(self.seconds, 3),
        }


def train_on_set(request: StudentTrainingRequest, reporter: Reporter) -> StudentTrainingResult:
    """Train and write a student; cases that can't be read are told and left out."""
    from sammed.datasets.students.student import new_student
    from sammed.datasets.students.student_file import save_student
    from sammed.datasets.students.training import train_on_samples

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
    config = gathering.config
    student = new_student(config, labeled_set.labels, labeled_set.window)
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
    return StudentTrainingResult(
        student=request.output,
        network=config.network,
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
    """The samples of a set; a case that can't be read becomes a problem."""

    def __init__(self, request: StudentTrainingRequest, labeled_set: LabeledSet) -> None:
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
        """All samples of these cases that show something known."""
        from sammed.datasets.students.samples import known_samples

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
        """The first image says whether the student sees color, unless the settings do."""
        if self._is_first and "channels" not in self._request.settings:
            self.config = replace(self.config, channels=3 if opened.volume.is_color else 1)
        self._is_first = False
