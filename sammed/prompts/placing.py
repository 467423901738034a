"""Placing: turn marks in the volume into prompts on the slices of a stack."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from sammed.errors import PromptError
from sammed.prompts.marks import FRAMES, BoxMark, CoordinateFrame, Mark, PointMark, Position
from sammed.prompts.prompt import PointSign, Prompt, numbers_text, prompt_of_points
from sammed_volumes.labels import Label, default_color
from sammed_volumes.slices import Slicing


@dataclass(frozen=True, slots=True, eq=False)
class PlacedPrompt:
    """One instance's prompt, its label, and the slice of the stack that it lies on."""

    label: Label
    slice_index: int
    prompt: Prompt


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """The volume's grid that marks are placed on, and the frame of their coordinates."""

    slicing: Slicing
    affine_ras_mm: Float[np.ndarray, "4 4"]
    frame: CoordinateFrame = "voxel"

    def __post_init__(self) -> None:
        if self.frame not in FRAMES:
            raise PromptError(f"The frame {self.frame!r} is unknown; it is {' or '.join(FRAMES)}.")

    def to_stack(self, position: Position, where: str) -> tuple[int, Float[np.ndarray, " 2"]]:
        """Return the slice nearest to a position, and x, y on it. Raises PromptError outside the volume."""
        points = np.array([position], dtype=np.float64)
        if self.frame == "voxel":
            points_sxy = self.slicing.voxels_to_points(points)
        else:
            points_sxy = self.slicing.mm_to_points(points, self.affine_ras_mm)
        count, height, width = self.slicing.stack_shape
        limits = np.array([count, width, height])
        # A voxel reaches half its width beyond its center; NaN fails the comparison too.
        if not ((points_sxy >= -0.5) & (points_sxy <= limits - 0.5)).all():
            raise PromptError(
                f"{where}: {numbers_text(position)} is outside the volume, whose {self._extent_text()}."
            )
        nearest = np.clip(np.floor(points_sxy[0, 0] + 0.5), 0, count - 1)
        return int(nearest), points_sxy[0, 1:]

    def _extent_text(self) -> str:
        shape = self.slicing.shape
        if self.frame == "voxel":
            return "indices run to " + numbers_text((shape[0] - 1, shape[1] - 1, shape[2] - 1))
        corners = np.array(np.meshgrid(*[(0, n - 1) for n in shape])).reshape(3, -1).T
        corners_mm = corners @ self.affine_ras_mm[:3, :3].T + self.affine_ras_mm[:3, 3]
        low, high = corners_mm.min(axis=0).round(1), corners_mm.max(axis=0).round(1)
        return f"millimeters run from {numbers_text(low)} to {numbers_text(high)}"


@dataclass(slots=True, eq=False)
class _Sheet:
    """The marks of one label on one slice."""

    points_xy: list[Float[np.ndarray, " 2"]]
    signs: list[PointSign]
    boxes_xyxy: list[Float[np.ndarray, " 4"]]


def place_marks(
    marks: Sequence[Mark], grid: Grid, labels: Sequence[Label] | None = None
) -> tuple[PlacedPrompt, ...]:
    """Return prompts on the slices of a stack, sorted by label and slice, one for each instance.

    `labels` are those that a mark may name. A mark that names none belongs to the only label there is.
    Without `labels` the marks define them: a name gets the lowest free value, a value gets a default name.

    For one label on one slice, each box is an instance. A foreground point belongs to the smallest box around
    it; the points in no box are one more instance. Background points apply to all instances. Raises
    PromptError for a mark without a label or outside the volume, and for background points alone.
    """
    if not marks:
        raise PromptError("There is no point and no box.")
    known = tuple(labels) if labels is not None else labels_of(marks)
    sheets: dict[tuple[int, int], _Sheet] = defaultdict(lambda: _Sheet([], [], []))
    for mark in marks:
        label = _find_label(mark, known)
        if isinstance(mark, PointMark):
            index, xy = grid.to_stack(mark.position, mark.where)
            sheets[label.value, index].points_xy.append(xy)
            sheets[label.value, index].signs.append(mark.sign)
        else:
            index, box = _place_box(mark, grid)
            sheets[label.value, index].boxes_xyxy.append(box)
    by_value = {label.value: label for label in known}
    return tuple(
        PlacedPrompt(by_value[value], index, prompt)
        for (value, index), sheet in sorted(sheets.items())
        for prompt in _instances(sheet, by_value[value], grid.slicing.array_index(index))
    )


def labels_of(marks: Sequence[Mark]) -> tuple[Label, ...]:
    """Return the labels that marks name, by ascending value; a number, also as text, is a value."""
    named = dict.fromkeys(str(mark.label).strip() for mark in marks if mark.label is not None)
    by_value = {int(name): f"label_{int(name)}" for name in named if name.isdecimal() and int(name) > 0}
    for name in named:
        if not name.isdecimal():
            by_value[next(value for value in range(1, len(named) + 1) if value not in by_value)] = name
    return tuple(Label(value, name, default_color(value)) for value, name in sorted(by_value.items()))


def _find_label(mark: Mark, labels: Sequence[Label]) -> Label:
    known = ", ".join(f"{label.name} ({label.value})" for label in labels)
    if mark.label is None:
        if len(labels) == 1:
            return labels[0]
        if not labels:
            raise PromptError(
                f"{mark.where}: has no label; put a name of your choice before it, as in liver:..."
            )
        raise PromptError(f"{mark.where}: has no label; name one of: {known}.")
    wanted = str(mark.label).strip()
    found = [label for label in labels if wanted in (label.name, str(label.value))]
    if len(found) != 1:
        raise PromptError(f"{mark.where}: there is no label {mark.label!r}; the labels are: {known}.")
    return found[0]


def _place_box(mark: BoxMark, grid: Grid) -> tuple[int, Float[np.ndarray, " 4"]]:
    """Return the slice of a box and its x0, y0, x1, y1 there. The array's axes may run the other way."""
    first, first_xy = grid.to_stack(mark.first, mark.where)
    last, last_xy = grid.to_stack(mark.last, mark.where)
    if first != last:
        slicing = grid.slicing
        slices = sorted(slicing.array_index(index) for index in (first, last))
        raise PromptError(
            f"{mark.where}: the box reaches from slice {slices[0]} to slice {slices[1]} along axis "
            f"{slicing.axis}; a box lies in one slice."
        )
    return first, np.concatenate([np.minimum(first_xy, last_xy), np.maximum(first_xy, last_xy)])


def _instances(sheet: _Sheet, label: Label, array_index: int) -> Iterator[Prompt]:
    points = np.array(sheet.points_xy, dtype=np.float64).reshape(-1, 2)
    signs = np.array(sheet.signs, dtype=np.int64)
    inside, outside = points[signs == PointSign.FOREGROUND], points[signs == PointSign.BACKGROUND]
    if not (len(inside) or sheet.boxes_xyxy):
        raise PromptError(
            f"On slice {array_index} {label.name} has background points only; "
            "add a foreground point or a box."
        )
    owners = np.array([_owner(point, sheet.boxes_xyxy) for point in inside], dtype=np.int64)
    for number, box in enumerate(sheet.boxes_xyxy):
        yield prompt_of_points(inside[owners == number], outside, box)
    if (owners == _NO_BOX).any():
        yield prompt_of_points(inside[owners == _NO_BOX], outside)


_NO_BOX = -1


def _owner(point_xy: Float[np.ndarray, " 2"], boxes_xyxy: Sequence[Float[np.ndarray, " 4"]]) -> int:
    """Return the number of the smallest box around the point, or _NO_BOX."""
    holding = [
        (float(np.prod(box[2:] - box[:2])), number)
        for number, box in enumerate(boxes_xyxy)
        if (point_xy >= box[:2]).all() and (point_xy <= box[2:]).all()
    ]
    return min(holding)[1] if holding else _NO_BOX
