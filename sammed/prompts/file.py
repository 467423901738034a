"""Prompts in a JSON file.

    {
      "frame": "voxel",
      "prompts": [
        {"label": "liver", "slice": 12, "points": [[40, 52, "+"], [80, 30, "-"]]},
        {"label": "kidneys", "boxes": [[20, 60, 12, 38, 81, 12], [84, 58, 12, 103, 80, 12]]},
        {"label": 6, "points": [[61, 70, 14, "+"]], "boxes": [[50, 58, 14, 77, 90, 14]]}
      ]
    }

- `frame`, once for the whole file: "voxel" (the default), indices i, j, k of the image's own array, as
  nibabel gives them; or "ras_mm", millimeters toward the patient's right, anterior and superior.
- `prompts`: a list of entries. An entry has a `label`, a name or a value; it may be missing where there is
  one label only. It has `points`, `boxes` or both.
- A point is three coordinates and its sign, "+" inside the object, "-" outside.
- A box is two opposite corners, six coordinates, the lower ones first; in voxels these are the first and the
  last voxel covered. A box lies in one slice.
- `slice`, in the voxel frame only: the index along the slice axis. Points then have the two other indices and
  boxes four, in the array's order.
- Several entries may belong to one slice and label. Each box is an instance; see `place_marks`.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from sammed.errors import PromptError
from sammed.prompts.marks import SIGNS, BoxMark, Mark, PointMark, Position
from sammed.prompts.placing import Grid, PlacedPrompt, place_marks
from sammed_volumes.json_text import parse_json
from sammed_volumes.labels import Label
from sammed_volumes.slices import Slicing

_FILE_KEYS = {"frame", "prompts"}
_ENTRY_KEYS = {"label", "slice", "points", "boxes"}


def read_prompts(
    path: Path,
    slicing: Slicing,
    affine_ras_mm: Float[np.ndarray, "4 4"],
    labels: Sequence[Label] | None = None,
) -> tuple[PlacedPrompt, ...]:
    """Read the prompts of a file, sorted by label and slice of the stack; for `labels` see `place_marks`.

    Raises PromptError, which names the file, the entry, and what is wrong with it.
    """
    try:
        content = _load(path)
        grid = Grid(slicing, affine_ras_mm, content.get("frame", "voxel"))
        marks = [
            mark for number, entry in _entries(content) for mark in _marks(entry, f"entry {number}", grid)
        ]
        return place_marks(marks, grid, labels)
    except PromptError as error:
        raise PromptError(f"{path}: {error}") from None


def _load(path: Path) -> dict[str, Any]:
    try:
        content = parse_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PromptError(f"can't be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise PromptError("is not JSON, nor text at all; give a file of prompts.") from None
    except ValueError as error:
        raise PromptError(f"is not JSON: {error}.") from None
    if not isinstance(content, dict) or not isinstance(content.get("prompts"), list):
        raise PromptError('needs an object with a list "prompts".')
    _check_keys(content, _FILE_KEYS, "the file")
    return content


def _entries(content: dict[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, entry in enumerate(content["prompts"], start=1):
        if not isinstance(entry, dict):
            raise PromptError(f"entry {number}: is not an object with label, points and boxes.")
        _check_keys(entry, _ENTRY_KEYS, f"entry {number}")
        yield number, entry


def _check_keys(found: dict[str, Any], known: set[str], where: str) -> None:
    unknown = sorted(found.keys() - known)
    if unknown:
        raise PromptError(f"{where}: {unknown[0]!r} is unknown; there are {', '.join(sorted(known))}.")


def _marks(entry: dict[str, Any], where: str, grid: Grid) -> Iterator[Mark]:
    label = entry.get("label")
    if label is not None and (isinstance(label, bool) or not isinstance(label, str | int)):
        raise PromptError(f"{where}: a label is a name or a whole number, not {label!r}.")
    points, boxes = _list(entry, "points", where), _list(entry, "boxes", where)
    if not (points or boxes):
        raise PromptError(f"{where}: has neither points nor boxes.")
    index = _slice_index(entry, where, grid)
    axis = grid.slicing.axis
    for number, point in enumerate(points, start=1):
        yield _point(point, label, f"{where}, point {number}", index, axis)
    for number, box in enumerate(boxes, start=1):
        yield _box(box, label, f"{where}, box {number}", index, axis)


def _list(entry: dict[str, Any], key: str, where: str) -> list[Any]:
    value = entry.get(key, [])
    if not isinstance(value, list):
        raise PromptError(f"{where}: {key} is a list, not {value!r}.")
    return value


def _slice_index(entry: dict[str, Any], where: str, grid: Grid) -> int | None:
    index = entry.get("slice")
    if index is None:
        return None
    if isinstance(index, bool) or not isinstance(index, int):
        raise PromptError(f"{where}: a slice is a whole number, not {index!r}.")
    if grid.frame != "voxel":
        raise PromptError(f"{where}: a slice goes with voxel indices; in millimeters give three coordinates.")
    if not 0 <= index < grid.slicing.count:
        raise PromptError(
            f"{where}: slice {index} is outside the volume, which has slices 0 to {grid.slicing.count - 1} "
            f"along axis {grid.slicing.axis}."
        )
    return index


_HINT = {3: ' where the entry has no "slice"', 2: ' where the entry has a "slice"'}


def _point(point: Any, label: str | int | None, where: str, index: int | None, axis: int) -> PointMark:
    length = 3 if index is None else 2
    if not isinstance(point, list) or len(point) != length + 1 or point[-1] not in tuple(SIGNS):
        raise PromptError(
            f'{where}: a point is {length} coordinates and "+" or "-"{_HINT[length]}, not {point!r}.'
        )
    return PointMark(_position(point[:-1], where, index, axis), SIGNS[point[-1]], label, where)


def _box(box: Any, label: str | int | None, where: str, index: int | None, axis: int) -> BoxMark:
    length = 3 if index is None else 2
    if not isinstance(box, list) or len(box) != 2 * length:
        raise PromptError(f"{where}: a box is {2 * length} coordinates{_HINT[length]}, not {box!r}.")
    first = _position(box[:length], where, index, axis)
    last = _position(box[length:], where, index, axis)
    return BoxMark(first, last, label, where)


def _position(coordinates: list[Any], where: str, index: int | None, axis: int) -> Position:
    """Return three coordinates; the slice's index is inserted where it was given once for the entry."""
    if not all(isinstance(each, int | float) and not isinstance(each, bool) for each in coordinates):
        raise PromptError(f"{where}: coordinates are numbers, not {coordinates!r}.")
    try:
        numbers = [float(each) for each in coordinates]
    except OverflowError:
        raise PromptError(f"{where}: a coordinate is too large a number.") from None
    if index is not None:
        numbers.insert(axis, float(index))
    i, j, k = numbers
    return i, j, k
