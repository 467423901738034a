"""Training a student, so that a kill at any moment loses nothing but time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sammed.progress import Reporter
from sammed.sets.pictures import Picture
from sammed.students.config import StudentConfig
from sammed.students.student import Student
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
    """Train a 2-D student on labelled pictures; those without labels are passed over.

    `weights` multiply each picture's loss (lambda of SamDSK's equation 5); None: 1 for all. `validation`
    is measured after each epoch for the log and decides nothing. With `checkpoint` the state is kept there,
    and where it exists training goes on from it: with the same pictures, config, weights and threads the
    student comes out the same as without the break. `start` gives initial weights. `log` is a folder for
    TensorBoard's event files and curves.png.

    Raises AnnotationError where no picture has labels, StudentError for a checkpoint of something else and a
    `start` whose network or labels differ.
    """
    raise NotImplementedError
