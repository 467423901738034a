"""Prompts as a person places them in a volume, and the JSON file that holds them.

A position is i, j, k (array indices, fractions allowed) or x, y, z in RAS millimetres; the file says which:

    {"unit": "voxel",
     "prompts": [{"label": "liver", "points": [[120, 88, 40]], "background_points": [[60, 20, 40]],
                  "box": [[90, 60, 40], [150, 120, 40]]}]}

Each entry is one object on one slice: points on it, points beside it, a box from its corner of least to its
corner of greatest coordinates, or any of these. A structure of two parts, such as the kidneys, has an entry
for each part.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from sammed.errors import PromptError

Unit: TypeAlias = Literal["voxel", "mm"]
Position: TypeAlias = tuple[float, float, float]

_KEYS = frozenset({"label", "points", "background_points", "box"})


@dataclass(frozen=True, slots=True)
class PlacedPrompt:
    """What a person says of one object on one slice; `box` is its least and its greatest corner."""

    label: str
    points: tuple[Position, ...] = ()
    background_points: tuple[Position, ...] = ()
    box: tuple[Position, Position] | None = None

    def __post_init__(self) -> None:
        if not self.label.strip():
            raise PromptError("A prompt has no label; say which structure it means.")
        if not (self.points or self.background_points or self.box):
            raise PromptError(f"The prompt of {self.label!r} holds neither a point nor a box.")
        for position in (*self.points, *self.background_points, *(self.box or ())):
            _check_position(position)
        if self.box is not None:
            _check_box(self.label, *self.box)


@dataclass(frozen=True, slots=True)
class PlacedPrompts:
    """All prompts of one file, and the unit of their positions."""

    unit: Unit
    prompts: tuple[PlacedPrompt, ...]

    def __post_init__(self) -> None:
        if self.unit not in get_args(Unit):
            raise PromptError(f"The unit of a prompt is voxel or mm, not {self.unit!r}.")
        if not self.prompts:
            raise PromptError("There is no prompt.")


def read_prompts(path: Path) -> PlacedPrompts:
    """The prompts in a JSON file; raises PromptError, which names the file and the entry."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PromptError(f"{path} can't be read: {error.strerror or error}.") from None
    except ValueError as error:
        raise PromptError(
            f"{path} is no JSON ({error}); see `sammed assist-label --help` for its form."
        ) from None
    if not isinstance(content, dict) or not isinstance(content.get("prompts"), list):
        raise PromptError(f'{path} is no file of prompts: it takes {{"unit": "voxel", "prompts": [...]}}.')
    prompts = tuple(_entry(path, place, entry) for place, entry in enumerate(content["prompts"], start=1))
    try:
        return PlacedPrompts(content.get("unit", "voxel"), prompts)
    except PromptError as error:
        raise PromptError(f"{path}: {error}") from None


def _entry(path: Path, place: int, entry: Any) -> PlacedPrompt:
    try:
        return _prompt(entry)
    except PromptError as error:
        raise PromptError(f"{path}, prompt {place}: {error}") from None


def _prompt(entry: Any) -> PlacedPrompt:
    if not isinstance(entry, dict):
        raise PromptError("It is no object with a label and points or a box.")
    unknown = sorted(set(entry) - _KEYS)
    if unknown:
        raise PromptError(f"It has {', '.join(unknown)}; a prompt has {', '.join(sorted(_KEYS))}.")
    box = _positions(entry.get("box") or [])
    if len(box) not in (0, 2):
        raise PromptError(f"Its box has {len(box)} corners, not two.")
    return PlacedPrompt(
        label=str(entry.get("label", "")),
        points=_positions(entry.get("points") or []),
        background_points=_positions(entry.get("background_points") or []),
        box=(box[0], box[1]) if box else None,
    )


def _positions(value: Any) -> tuple[Position, ...]:
    try:
        return tuple((float(i), float(j), float(k)) for i, j, k in value)
    except (TypeError, ValueError):
        raise PromptError(f"{json.dumps(value)} is no list of positions, each of three numbers.") from None


def _check_position(position: Position) -> None:
    if len(position) != 3 or not all(math.isfinite(part) for part in position):
        raise PromptError(f"A position is three numbers, not {_text(position)}.")


def _check_box(label: str, least: Position, greatest: Position) -> None:
    if any(low > high for low, high in zip(least, greatest, strict=True)):
        raise PromptError(
            f"The box of {label!r} from {_text(least)} to {_text(greatest)} is turned inside out: its first "
            "corner takes the lesser of each coordinate."
        )


def _text(position: Sequence[float]) -> str:
    return ",".join(f"{part:g}" for part in position)
