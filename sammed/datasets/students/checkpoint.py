"""The checkpoint of a student's training, from which it continues after a kill."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from sammed.datasets.students.epoch_row import EpochRow
from sammed.datasets.students.student import Student
from sammed.datasets.students.student_file import student_header
from sammed.errors import StudentError
from sammed.storage.checkpoint import Checkpoint
from sammed.storage.tensor_file import TensorKind

_KIND = TensorKind("sammed_training", "a student's checkpoint", 1, StudentError)


@dataclass(frozen=True, slots=True)
class Progress:
    """Steps done, finished epochs, and the losses of the current epoch."""

    step: int = 0
    rows: tuple[EpochRow, ...] = ()
    losses: tuple[float, ...] = ()


def student_checkpoint(
    path: Path | None, student: Student, optimizer: torch.optim.Optimizer, samples: str
) -> Checkpoint[Progress]:
    """Return the checkpoint at `path`; `samples` is the digest of the training samples."""
    return Checkpoint(_KIND, path, student.network, optimizer, _identity(student, samples), _progress)


def _progress(header: Mapping[str, Any]) -> Progress:
    rows = tuple(EpochRow(**{**row, "dice": tuple(row["dice"])}) for row in header["rows"])
    return Progress(int(header["step"]), rows, tuple(header["losses"]))


def _identity(student: Student, samples: str) -> dict[str, Any]:
    """Return what must be the same to continue: all but the device and how often the state is saved."""
    config = replace(student.config, device="auto", checkpoint_seconds=0.0)
    header = student_header(replace(student, config=config))
    header["config"]["features"] = list(config.features)  # as JSON returns it
    return {**header, "samples": samples}
