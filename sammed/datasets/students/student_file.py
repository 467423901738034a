"""The student file: weights, config, labels and window in one safetensors file."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sammed.datasets.students.config import StudentConfig
from sammed.datasets.students.student import Student, new_student
from sammed.errors import SammedError, StudentError
from sammed.storage.network_state import load_state, state_of
from sammed.storage.tensor_file import TensorKind, read_tensors, tensor_digest, write_tensors
from sammed.version import __version__
from sammed_volumes.errors import VolumeError
from sammed_volumes.intensity import Window
from sammed_volumes.labels import Label

_RENAMED = {"optimiser": "optimizer"}  # codespell:ignore optimiser
_KIND = TensorKind("sammed_student", "a student", 1, StudentError)


def save_student(student: Student, path: Path, *, overwrite: bool = False) -> Path:
    """Write a student; a file that exists is kept unless `overwrite`. `load_student` reads it again."""
    header = {"sammed": __version__, **student_header(student)}
    write_tensors(_KIND, header, state_of(student.network), path, overwrite=overwrite)
    return path


def load_student(path: Path) -> Student:
    """Read a student onto the CPU; StudentError names the file and says what is wrong with it."""
    header, tensors = read_tensors(_KIND, path)
    try:
        student = student_of(header)
        load_state(student.network, tensors)
    except (LookupError, TypeError, ValueError, RuntimeError, SammedError, VolumeError) as error:
        raise StudentError(f"{path} is a student that can't be read: {error}") from error
    student.network.eval().requires_grad_(False)
    return student


def student_digest(student: Student) -> str:
    """The digest that names a student in what it labeled (64 hexadecimal digits); the file isn't needed."""
    weights = {name: tensor.detach().cpu() for name, tensor in state_of(student.network).items()}
    return tensor_digest(student.config.network, weights)


def student_header(student: Student) -> dict[str, Any]:
    """All of a student but its weights, for JSON; `student_of` reads it."""
    return {
        "config": asdict(student.config),
        "labels": [label.to_json() for label in student.labels],
        "window": None if student.window is None else asdict(student.window),
    }


def student_of(header: Mapping[str, Any]) -> Student:
    """A student with fresh weights from what `student_header` wrote."""
    config = {_RENAMED.get(name, name): value for name, value in header["config"].items()}
    labels = tuple(Label.from_json(each) for each in header["labels"])
    window = None if header["window"] is None else Window(**header["window"])
    return new_student(StudentConfig(**{**config, "features": tuple(config["features"])}), labels, window)
