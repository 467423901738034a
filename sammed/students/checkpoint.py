"""The checkpoint: everything that training goes on from after a kill.

What a step sees follows from the seed and its number (`sammed.students.batches`), so that weights, the
optimiser's state and the step say all. The file is replaced as a whole, never changed in place.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sammed.errors import StudentError
from sammed.students.history import Row, row_of
from sammed.students.student import Student
from sammed.students.student_file import student_header
from sammed.tensor_file import TensorKind, read_tensors, tensors_below, write_tensors

_KIND = TensorKind("sammed_training", "a student's checkpoint", 1, StudentError)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far training is: steps done, the epochs behind it, and the losses of the epoch that it is in."""

    step: int = 0
    rows: tuple[Row, ...] = ()
    losses: tuple[float, ...] = ()


def save_checkpoint(
    path: Path, student: Student, optimiser: torch.optim.Optimizer, progress: Progress, samples: str
) -> None:
    """Replace the checkpoint; `samples` is the digest of what is trained on."""
    tensors = {f"network/{name}": tensor for name, tensor in student.network.state_dict().items()}
    for number, state in optimiser.state_dict()["state"].items():
        tensors.update(
            {f"optimiser/{number}/{name}": tensor for name, tensor in state.items() if tensor is not None}
        )
    header = {
        **_identity(student, samples),
        "step": progress.step,
        "rows": [row.to_json() for row in progress.rows],
        "losses": list(progress.losses),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_tensors(_KIND, header, tensors, path, overwrite=True)


def load_checkpoint(path: Path, student: Student, optimiser: torch.optim.Optimizer, samples: str) -> Progress:
    """Put the checkpoint's state into the student and its optimiser, in place, and say how far it is.

    StudentError for a checkpoint of another config, other labels or other samples.
    """
    header, tensors = read_tensors(_KIND, path)
    ours = _identity(student, samples)
    other = [name for name, value in ours.items() if header.get(name) != value]
    if other:
        raise StudentError(
            f"{path} is the checkpoint of another training (other {' and '.join(other)}); remove it, or "
            "choose another place."
        )
    try:
        student.network.load_state_dict(tensors_below(tensors, "network"))
        optimiser.load_state_dict(
            {
                "state": _optimiser_state(tensors_below(tensors, "optimiser")),
                "param_groups": optimiser.state_dict()["param_groups"],
            }
        )
        rows = tuple(row_of(row) for row in header["rows"])
        return Progress(int(header["step"]), rows, tuple(header["losses"]))
    except (LookupError, TypeError, ValueError, RuntimeError) as error:
        raise StudentError(f"{path} is a checkpoint that can't be read: {error}; remove it.") from error


def _identity(student: Student, samples: str) -> dict[str, Any]:
    """What must be the same for a training to go on: all but where and how often it is kept."""
    config = replace(student.config, device="auto", checkpoint_seconds=0.0)
    header = student_header(replace(student, config=config))
    header["config"]["features"] = list(config.features)  # as JSON gives it back
    header["labels"] = [{**label, "colour_rgb": list(label["colour_rgb"])} for label in header["labels"]]
    return {**header, "samples": samples}


def _optimiser_state(tensors: Mapping[str, Tensor]) -> dict[int, dict[str, Tensor]]:
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        number, _, key = name.partition("/")
        state.setdefault(int(number), {})[key] = tensor
    return state
