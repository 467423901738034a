"""Train a student so that a kill at any moment loses only time."""

import math
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from sammed.backbones.device import choose_device
from sammed.datasets.labeled_sets.pictures import Picture
from sammed.datasets.resumable_training import descend, run_steps
from sammed.datasets.students.augmentation import Augmentation
from sammed.datasets.students.batches import Batches
from sammed.datasets.students.checkpoint import Progress, student_checkpoint
from sammed.datasets.students.config import StudentConfig
from sammed.datasets.students.epoch_row import EpochRow
from sammed.datasets.students.logs import TrainingLog
from sammed.datasets.students.losses import student_loss
from sammed.datasets.students.samples import Sample, picture_sample, samples_digest
from sammed.datasets.students.student import Student, last_output, new_student
from sammed.datasets.students.validation import validation_dice
from sammed.errors import AnnotationError, ConfigError, StudentError
from sammed.progress import Reporter
from sammed_volumes.intensity import Window
from sammed_volumes.labels import Label


def train_student(
    pictures: Sequence[Picture],
    labels: tuple[Label, ...],
    config: StudentConfig,
    reporter: Reporter,
    *,
    weights: Sequence[float] | None = None,
    validation: Sequence[Picture] = (),
    checkpoint: Path | None = None,
    start: Student | None = None,
    window: Window | None = None,
    log: Path | None = None,
) -> Student:
    """Train a 2-D student on labeled pictures; skip those without labels.

    `weights` multiply each picture's loss (lambda of SamDSK's equation 5); None: 1 for all. `validation` is
    measured after each epoch for the log only. `checkpoint` keeps the state; where it exists, training
    continues from it, and the same pictures, config, weights and threads give the same student as without the
    break. `start` gives initial weights. `log` is a folder for TensorBoard's event files and curves.png.

    Raises AnnotationError where no picture has labels, StudentError for the checkpoint of another training
    and for a `start` whose network or labels differ.
    """
    if config.is_3d:
        raise ConfigError("A dynunet is trained on volumes, not on pictures.")
    weighted = zip(pictures, weights or [1.0] * len(pictures), strict=True)
    samples = [
        picture_sample(picture, labels, config, weight)
        for picture, weight in weighted
        if picture.labels is not None
    ]
    held_out = [picture_sample(each, labels, config) for each in validation if each.labels is not None]
    student = _fresh(config, labels, window, start)
    train_on_samples(student, samples, reporter, validation=held_out, checkpoint=checkpoint, log=log)
    return student


def train_on_samples(
    student: Student,
    samples: Sequence[Sample],
    reporter: Reporter,
    *,
    validation: Sequence[Sample] = (),
    checkpoint: Path | None = None,
    log: Path | None = None,
) -> tuple[EpochRow, ...]:
    """Train a student, in place, on samples for its config, as `train_student`; return a row per epoch."""
    if not any(sample.weight > 0 for sample in samples):
        raise AnnotationError("There is no labeled picture or volume to train a student on.")
    config = student.config
    if config.is_3d and all(sample.image.shape[1] == 1 for sample in samples):
        raise AnnotationError("A dynunet needs volumes, but all samples are pictures; use unet or unet++.")
    student.network.to(choose_device(config.device))
    augmentation = Augmentation(config.is_3d) if config.augment else None
    batches = Batches(samples, config, augmentation)
    with closing(TrainingLog(log, student.labels, reporter)) as training_log:
        training = _Training(student, batches, validation, _optimizer(student), checkpoint, training_log)
        rows = training.run(reporter)
    student.network.eval().requires_grad_(False)
    return rows


@dataclass(frozen=True, slots=True, eq=False)
class _Training:
    """One training, from the first step or the checkpoint to the last step."""

    student: Student
    batches: Batches
    validation: Sequence[Sample]
    optimizer: torch.optim.Optimizer
    checkpoint: Path | None
    log: TrainingLog

    def run(self, reporter: Reporter) -> tuple[EpochRow, ...]:
        """Take all remaining steps and return a row for every epoch."""
        digest = samples_digest(self.batches.samples) if self.checkpoint else ""
        progress = run_steps(
            "training the student",
            Progress(),
            self.batches.total,
            lambda done: self._after(done, self._step(done.step)),
            student_checkpoint(self.checkpoint, self.student, self.optimizer, digest),
            self.student.config.checkpoint_seconds,
            reporter,
        )
        self.log.curves(progress.rows)
        return progress.rows

    def _step(self, step: int) -> float:
        """Learn from one batch and return its loss."""
        config, network = self.student.config, self.student.network.train()
        batch = self.batches.batch(step)
        device = next(network.parameters()).device
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(config, step, self.batches.total)
        scores: Tensor = last_output(network(batch.images.to(device)))
        loss = student_loss(scores, batch.classes.to(device), batch.weights.to(device), config)
        return descend(loss, self.optimizer, step, StudentError)

    def _after(self, progress: Progress, loss: float) -> Progress:
        """Return the progress after one more step; a finished epoch becomes a row."""
        step, losses = progress.step + 1, (*progress.losses, loss)
        epoch, is_last = self.batches.epoch(step), step == self.batches.total
        if epoch == self.batches.epoch(step - 1) and not is_last:
            return replace(progress, step=step, losses=losses)
        row = EpochRow(
            epoch=max(epoch, 1),
            step=step,
            loss=math.fsum(losses) / len(losses),
            learning_rate=learning_rate(self.student.config, step - 1, self.batches.total),
            dice=validation_dice(self.student, self.validation),
        )
        self.log.row(row)
        return Progress(step, (*progress.rows, row))


def learning_rate(config: StudentConfig, step: int, total: int) -> float:
    """Return the rate of a step from 0 on: a cosine from `learning_rate` to `least_learning_rate`."""
    fall = (1 + math.cos(math.pi * step / total)) / 2
    return config.least_learning_rate + (config.learning_rate - config.least_learning_rate) * fall


def _fresh(
    config: StudentConfig, labels: tuple[Label, ...], window: Window | None, start: Student | None
) -> Student:
    student = new_student(config, labels, window)
    if start is None:
        return student
    try:
        student.network.load_state_dict(start.network.state_dict())
    except RuntimeError as error:
        raise StudentError("The student to start from has another network or other labels.") from error
    return student


def _optimizer(student: Student) -> torch.optim.Optimizer:
    config, parameters = student.config, student.network.requires_grad_(True).parameters()
    if config.optimizer == "adam":
        return torch.optim.Adam(parameters, lr=config.learning_rate, weight_decay=config.weight_decay)
    return torch.optim.SGD(
        parameters, lr=config.learning_rate, momentum=config.momentum, weight_decay=config.weight_decay
    )
