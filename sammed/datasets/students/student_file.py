"""The student file: weights, config, labels and window in one safetensors file."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sammed.datasets.network_file import network_digest, read_network, write_network
from sammed.datasets.students.config import StudentConfig
from sammed.datasets.students.student import Student, new_student
from sammed.errors import StudentError
from sammed.storage.tensor_file import TensorKind
from sammed_volumes.intensity import Window
from sammed_volumes.labels import Label

_RENAMED = {"optimiser": "optimizer"}  # codespell:ignore optimiser
_KIND = TensorKind("sammed_student", "a student", 1, StudentError)


def save_student(student: Student, path: Path, *, overwrite: bool = False) -> Path:
    """Write a student; an existing file is kept unless `overwrite`. `load_student` reads it."""
    return write_network(_KIND, student_header(student), student.network, path, overwrite=overwrite)


def load_student(path: Path) -> Student:
    """Read a student onto the CPU. Raises StudentError, which names the file and what is wrong with it."""
    return read_network(_KIND, path, _student_of)


def student_digest(student: Student) -> str:
    """Return the digest that names a student in the labels it made (64 hexadecimal digits)."""
    return network_digest(student.config.network, student.network)


def student_header(student: Student) -> dict[str, Any]:
    """Return all of a student but its weights, for JSON."""
    return {
        "config": asdict(student.config),
        "labels": [label.to_json() for label in student.labels],
        "window": None if student.window is None else asdict(student.window),
    }


def _student_of(header: Mapping[str, Any]) -> Student:
    """Build a student with fresh weights from what `student_header` returned."""
    config = {_RENAMED.get(name, name): value for name, value in header["config"].items()}
    labels = tuple(Label.from_json(each) for each in header["labels"])
    if not labels:
        raise ValueError("it has no labels")
    window = None if header["window"] is None else Window(**header["window"])
    return new_student(StudentConfig(**{**config, "features": tuple(config["features"])}), labels, window)
