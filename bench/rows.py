"""Rows of results in a CSV file, one row a line, appended as they are measured."""

import csv
import subprocess
from collections.abc import Iterable
from dataclasses import asdict, fields
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

RowType = TypeVar("RowType", bound="DataclassInstance")

ROOT = Path(__file__).parents[1]
CODE = ("bench", "sammed", "volumes")


def read_rows(path: Path, row_type: type[RowType]) -> list[RowType]:
    """Return the rows of a file, a dataclass of strings and numbers each; none where there is no file."""
    if not path.exists():
        return []
    types = get_type_hints(row_type)
    with path.open(encoding="utf-8", newline="") as file:
        return [row_type(**_typed(line, types)) for line in csv.DictReader(file)]


def _typed(line: dict[str, str], types: dict[str, Any]) -> dict[str, object]:
    return {name: types[name](text) for name, text in line.items()}


def append_rows(path: Path, rows: Iterable["DataclassInstance"]) -> None:
    """Append rows of one dataclass; a new file starts with the names of its fields."""
    found = list(rows)
    if not found:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    is_new = not path.exists()
    with path.open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(found[0])], lineterminator="\n")
        if is_new:
            writer.writeheader()
        writer.writerows(asdict(row) for row in found)


@cache
def current_commit() -> str:
    """Return the short hash of the code that measures, `-dirty` with changes; "" outside a git checkout."""
    try:
        commit = _git("rev-parse", "--short", "HEAD")
        changes = _git("status", "--porcelain", "--untracked-files=no", "--", *CODE)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return f"{commit}-dirty" if changes else commit


def _git(*words: str) -> str:
    command = ["git", "-C", str(ROOT), *words]
    return subprocess.run(command, check=True, capture_output=True, encoding="utf-8").stdout.strip()
