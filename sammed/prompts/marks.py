"""Marks: points and boxes as a user gives them, before it is known which slice they lie on.

A mark's coordinates are three numbers: array indices i, j, k ("voxel") or millimeters toward the patient's
right, anterior and superior ("ras_mm"). `sammed.prompts.placing` turns marks into prompts.
"""

from dataclasses import dataclass
from typing import Literal, get_args

from sammed.errors import PromptError
from sammed.prompts.prompt import PointSign, numbers_text

CoordinateFrame = Literal["voxel", "ras_mm"]
FRAMES: tuple[CoordinateFrame, ...] = get_args(CoordinateFrame)
SIGNS = {"+": PointSign.FOREGROUND, "-": PointSign.BACKGROUND}

Position = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class PointMark:
    """A point with its sign. `label` is a name or a value, None where none was given.

    `where` names the mark in errors.
    """

    position: Position
    sign: PointSign
    label: str | int | None
    where: str


@dataclass(frozen=True, slots=True)
class BoxMark:
    """A box by two opposite corners, the lower one first; otherwise like `PointMark`."""

    first: Position
    last: Position
    label: str | int | None
    where: str

    def __post_init__(self) -> None:
        if any(high < low for low, high in zip(self.first, self.last, strict=True)):
            raise PromptError(
                f"{self.where}: the box from {numbers_text(self.first)} to {numbers_text(self.last)} is "
                "inside out; give the corner of the lower coordinates first."
            )


Mark = PointMark | BoxMark


def parse_point(text: str) -> PointMark:
    """Parse a point "i,j,k,+" or "LABEL:i,j,k,-" from a command line.

    >>> parse_point("liver:40, 52, 10, +").position
    (40.0, 52.0, 10.0)
    """
    where = f"point {text!r}"
    label, numbers = _split_label(text)
    *coordinates, sign = [part.strip() for part in numbers.split(",")]
    if sign not in SIGNS or len(coordinates) != 3:
        raise PromptError(f"{where}: a point is i,j,k,+ or i,j,k,- with its label and a colon before it.")
    return PointMark(position_from(coordinates, where), SIGNS[sign], label, where)


def parse_box(text: str) -> BoxMark:
    """Parse a box "i0,j0,k0,i1,j1,k1" or "LABEL:i0,j0,k0,i1,j1,k1" from a command line.

    >>> parse_box("6:10,20,5,30,44,5").last
    (30.0, 44.0, 5.0)
    """
    where = f"box {text!r}"
    label, numbers = _split_label(text)
    coordinates = [part.strip() for part in numbers.split(",")]
    if len(coordinates) != 6:
        raise PromptError(f"{where}: a box is i0,j0,k0,i1,j1,k1 with its label and a colon before it.")
    return BoxMark(position_from(coordinates[:3], where), position_from(coordinates[3:], where), label, where)


def position_from(coordinates: list[str], where: str) -> Position:
    """Parse three numbers. Raises PromptError for a text that is not a number."""
    try:
        i, j, k = (float(part) for part in coordinates)
    except ValueError:
        raise PromptError(f"{where}: {', '.join(coordinates)} are not three numbers.") from None
    return i, j, k


def _split_label(text: str) -> tuple[str | None, str]:
    label, colon, numbers = text.rpartition(":")
    return (label.strip() or None) if colon else None, numbers
