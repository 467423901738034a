"""The checkpoint: everything that training goes on from after a kill.

What a step sees follows from the seed and its number (`sammed.datasets.students.batches`), so that weights,
the optimizer's state and the step say all.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from sammed.datasets.students.history import Row, row_of
from sammed.datasets.students.student import Student
from sammed.datasets.students.student_file import student_header
from sammed.errors import StudentError
from sammed.storage.checkpoint import read_checkpoint, write_checkpoint
from sammed.storage.tensor_file import TensorKind

_KIND = TensorKind("sammed_training", "a student's checkpoint", 1, StudentError)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far training is: steps done, the epochs behind it, and the losses of the epoch that it is in."""

    step: int = 0
    rows: tuple[Row, ...] = ()
    losses: tuple[float, ...] = ()


def save_checkpoint(
    path: Path, student: Student, optimizer: torch.optim.Optimizer, progress: Progress, samples: str
) -> None:
    """Replace the checkpoint; `samples` is the digest of what is trained on."""
    done = {
        "step": progress.step,
        "rows": [row.to_json() for row in progress.rows],
        "losses": list(progress.losses),
    }
    write_checkpoint(_KIND, path, student.network, optimizer, _identity(student, samples), done)


def load_checkpoint(path: Path, student: Student, optimizer: torch.optim.Optimizer, samples: str) -> Progress:
    """Put the checkpoint's state into the student and its optimizer, in place, and say how far it is.

    StudentError for a checkpoint of another config, other labels or other samples.
    """
    identity = _identity(student, samples)
    return read_checkpoint(_KIND, path, student.network, optimizer, identity, _progress)


def _progress(header: Mapping[str, Any]) -> Progress:
    rows = tuple(row_of(row) for row in header["rows"])
    return Progress(int(header["step"]), rows, tuple(header["losses"]))


def _identity(student: Student, samples: str) -> dict[str, Any]:
    """What must be the same for a training to go on: all but where and how often it is kept."""
    config = replace(student.config, device="auto", checkpoint_seconds=0.0)
    header = student_header(replace(student, config=config))
    header["config"]["features"] = list(config.features)  # as JSON gives it back
    return {**header, "samples": samples}
