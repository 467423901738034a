"""Label volumes: whole numbers on a volume's grid, each with a name and a color."""

from __future__ import annotations

import colorsys
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sammed_volumes.errors import GeometryMismatchError, LabelError
from sammed_volumes.grid import VoxelGrid
from sammed_volumes.volume import Volume, planes

# Successive labels differ in hue by the golden angle, so nearby values get clearly different colors.
_GOLDEN_TURN = 0.381966
_EXACT = 1 << 53  # floats are exact up to here

_HIGHEST = (1 << 64) - 1  # what the widest unsigned integer holds

# The names that readers and editors give to a label without one: "5", "label_5", "Segment_5".
_PLACEHOLDER = re.compile(r"(label|segment|class)?[ _-]*\d*")
_FORMER_COLOR_KEY = "colour_rgb"  # codespell:ignore colour


@dataclass(frozen=True, slots=True)
class Label:
    """One label: its value in the voxels, its name, and its color (red, green, blue in 0..255)."""

    value: int
    name: str
    color_rgb: tuple[int, int, int]

    def __post_init__(self) -> None:
        if self.value < 1:
            raise LabelError(
                f"Label {self.name!r} has the value {self.value}; use 1 or more, since 0 is background."
            )
        if self.value > _HIGHEST:
            raise LabelError(f"Label {self.name!r} has a value above {_HIGHEST}; use a smaller one.")
        if not self.name.strip():
            raise LabelError(f"Label {self.value} has no name; give it one.")
        if len(self.color_rgb) != 3 or not all(0 <= part <= 255 for part in self.color_rgb):
            raise LabelError(
                f"Label {self.name!r} has the color {self.color_rgb}; use three numbers from 0 to 255."
            )

    @property
    def own_name(self) -> str:
        """The name in lower case, for comparisons; "" if it only repeats the value.

        >>> Label(5, "Right lung", (0, 0, 0)).own_name, Label(5, "label_5", (0, 0, 0)).own_name
        ('right lung', '')
        """
        name = self.name.strip().casefold()
        return "" if _PLACEHOLDER.fullmatch(name) else name

    def to_json(self) -> dict[str, Any]:
        """Return the label as a JSON object; the inverse of `from_json`."""
        return {"value": self.value, "name": self.name, "color_rgb": list(self.color_rgb)}

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> Label:
        """Read what `to_json` wrote; the color is optional. Raises LookupError, TypeError or ValueError."""
        try:
            value = int(entry["value"])
            color = entry.get("color_rgb", entry.get(_FORMER_COLOR_KEY, default_color(value)))
            red, green, blue = (int(part) for part in color)
        except OverflowError as error:  # JSON's Infinity, or a number such as 1e999
            raise ValueError("a label's value or color is infinite") from error
        return cls(value, str(entry["name"]), (red, green, blue))


@dataclass(frozen=True, slots=True, eq=False)
class LabelVolume:
    """Unsigned whole numbers X Y Z on a grid; `labels` are in ascending order of value.

    Every value above 0 in the voxels has a label; a label may have no voxels. `is_placed` is that of the
    grid. `resampled` is True if the voxels were interpolated from another grid. `notes` are facts about the
    file that the user should know.
    """

    voxels: np.ndarray
    affine_ras_mm: np.ndarray
    labels: tuple[Label, ...]
    path: Path | None = None
    is_placed: bool = True
    resampled: bool = False
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.voxels.dtype.kind != "u" or self.voxels.ndim != 3:
            raise LabelError(
                f"Labels are unsigned whole numbers X Y Z, not {self.voxels.dtype} {self.voxels.shape}."
            )
        values = [label.value for label in self.labels]
        if values != sorted(set(values)):
            raise LabelError(f"Label values must be distinct and in ascending order, not {values}.")

    @property
    def shape(self) -> tuple[int, int, int]:
        """X, Y, Z: voxels along the three array axes."""
        x, y, z = self.voxels.shape
        return x, y, z

    @property
    def grid(self) -> VoxelGrid:
        """The positions of the voxels."""
        return VoxelGrid(self.shape, self.affine_ras_mm, self.is_placed)

    @property
    def is_empty(self) -> bool:
        """Whether no voxel has a label."""
        return not any(plane.any() for plane in planes(self.voxels))

    def voxel_counts(self) -> dict[int, int]:
        """Return the number of voxels of each label, by value; 0 for a label without voxels."""
        counts = count_values(self.voxels)
        return {label.value: counts.get(label.value, 0) for label in self.labels}

    def select(self, names_or_values: Iterable[str | int]) -> tuple[Label, ...]:
        """Return labels by name or value ("liver", 6, "6"); raises LabelError unless each exists once."""
        return tuple(dict.fromkeys(self._find(wanted) for wanted in names_or_values))

    def _find(self, wanted: str | int) -> Label:
        found = [label for label in self.labels if wanted in (label.name, label.value, str(label.value))]
        if len(found) == 1:
            return found[0]
        known = ", ".join(f"{label.name} ({label.value})" for label in self.labels) or "none"
        fact = f"{len(found)} labels {wanted!r}" if found else f"no label {wanted!r}"
        remedy = "choose one by value" if found else "choose one of its labels"
        raise LabelError(f"{self.path or 'The label volume'} has {fact}; {remedy}: {known}.")


def default_label(value: int) -> Label:
    """Return a label named after its value, with its own color.

    >>> default_label(3).name
    'label_3'
    """
    return Label(value, f"label_{value}", default_color(value))


def default_color(value: int) -> tuple[int, int, int]:
    """Return a bright color for a label value; nearby values get clearly different ones.

    >>> default_color(1) != default_color(2)
    True
    """
    lightness = (0.55, 0.7, 0.4)[value // 8 % 3]
    red, green, blue = colorsys.hls_to_rgb(value % _EXACT * _GOLDEN_TURN % 1.0, lightness, 0.9)
    return round(red * 255), round(green * 255), round(blue * 255)


def complete_labels(voxels: np.ndarray, named: Sequence[Label]) -> tuple[Label, ...]:
    """Return the named labels and default ones for all other values in the voxels, in ascending order."""
    by_value = {value: default_label(value) for value in count_values(voxels) if value != 0}
    by_value.update((label.value, label) for label in named)
    return tuple(by_value[value] for value in sorted(by_value))


def count_values(voxels: np.ndarray) -> dict[int, int]:
    """Count each value of an integer array; never sorts or copies more than one plane."""
    counts: dict[int, int] = {}
    for plane in planes(voxels):
        values, times = np.unique(plane, return_counts=True)
        for value, count in zip(values.tolist(), times.tolist(), strict=True):
            counts[value] = counts.get(value, 0) + count
    return counts


def smallest_unsigned(highest: int) -> np.dtype:
    """Return the smallest unsigned integer type that fits values up to `highest`; LabelError if none does.

    >>> smallest_unsigned(255), smallest_unsigned(256)
    (dtype('uint8'), dtype('uint16'))
    """
    if highest > _HIGHEST:
        raise LabelError(f"a label's value is above {_HIGHEST}; use a smaller one")
    return np.min_scalar_type(highest)


def check_same_grid(volume: Volume, labels: LabelVolume) -> None:
    """Raise GeometryMismatchError unless labels are on the volume's very grid; see `placing.labels_on`."""
    expected, theirs = volume.grid, labels.grid
    if not expected.is_like(theirs):
        raise GeometryMismatchError(
            f"{labels.path or 'The label volume'} is not on the grid of {volume.path or 'the volume'}: "
            f"{expected.difference(theirs)}; `sammed_volumes.labels_on` puts labels on the grid of a volume.",
            f"{theirs} against {expected}",
        )
