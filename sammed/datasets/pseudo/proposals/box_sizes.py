"""The boxes of a grid: sizes as shares of a picture, and where their centers may be.

A SAM trained only with boxes fills its box, so a box of the wrong size gives a mask of the wrong size. The
gold labels show how large the objects are and where they are in a picture, independent of any student.
Without them, the sizes are those of the config, at all places.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt

from sammed.datasets.even_choice import choose_evenly
from sammed.datasets.pseudo.proposals.config import ProposalConfig
from sammed.errors import ConfigError
from sammed.prompts.boxes import box_around
from sammed.prompts.instances import instances


@dataclass(frozen=True, slots=True)
class BoxSize:
    """A box of `width` x `height` with its center in `x` and `y` (from, to), as shares of the picture."""

    width: float
    height: float
    x: tuple[float, float] = (0.0, 1.0)
    y: tuple[float, float] = (0.0, 1.0)

    def __post_init__(self) -> None:
        if not (0 < self.width <= 1 and 0 < self.height <= 1):
            raise ConfigError(
                f"The sides of a box must be above 0, up to 1, not {self.width} x {self.height}."
            )


def general_sizes(height: int, width: int, config: ProposalConfig) -> tuple[BoxSize, ...]:
    """Return square, wide and tall boxes (`config.aspects`) of each of `config.sides`, at all places."""
    shorter = min(height, width)
    sizes = []
    for side in config.sides:
        for aspect in config.aspects:
            wide, high = side * shorter * aspect**0.5, side * shorter / aspect**0.5
            sizes.append(BoxSize(min(1.0, wide / width), min(1.0, high / height)))
    return tuple(dict.fromkeys(sizes))


def sizes_of_labels(
    label_maps: Iterable[UInt[np.ndarray, "H W"]], config: ProposalConfig
) -> tuple[BoxSize, ...]:
    """Return a few sizes for each label, from its smallest object to its largest; none without labels.

    Objects are the connected pieces of a label. The boxes are larger by `config.box_margin`, because objects
    of other pictures never fit a grid exactly, and cutting one off is worse than leaving room.
    """
    found: dict[int, list[np.ndarray]] = {}
    for label_map in label_maps:
        for value in np.unique(label_map[label_map > 0]).tolist():
            for piece in instances(label_map == value, config.least_pixels):
                found.setdefault(value, []).append(_relative_box(piece))
    sizes = [size for value in sorted(found) for size in _representatives(np.stack(found[value]), config)]
    return tuple(dict.fromkeys(sizes))


def lay_grid(
    sizes: Sequence[BoxSize], height: int, width: int, config: ProposalConfig
) -> Float[np.ndarray, "N 4"]:
    """Return boxes (x0, y0, x1, y1) in slice pixels, as dense as `config.most_boxes` allows in total.

    Neighbors overlap by `config.box_overlap`, or by less where that would give too many boxes; where even
    boxes without overlap are too many, some are left out, evenly.
    """
    overlap = config.box_overlap
    boxes = _grid(sizes, height, width, overlap)
    while len(boxes) > config.most_boxes and overlap > 0:
        overlap = max(0.0, overlap - 0.05)
        boxes = _grid(sizes, height, width, overlap)
    if len(boxes) > config.most_boxes:
        boxes = boxes[np.linspace(0, len(boxes) - 1, config.most_boxes).round().astype(int)]
    return boxes


def _grid(sizes: Sequence[BoxSize], height: int, width: int, overlap: float) -> Float[np.ndarray, "N 4"]:
    boxes = []
    for size in sizes:
        wide, high = max(2.0, size.width * width), max(2.0, size.height * height)
        lefts = _starts(size.x, width, wide, (1 - overlap) * wide)
        tops = _starts(size.y, height, high, (1 - overlap) * high)
        corners = np.stack(np.meshgrid(lefts, tops), axis=-1).reshape(-1, 2)
        boxes.append(np.concatenate([corners, corners + np.array([wide - 1, high - 1])], axis=1))
    return np.concatenate(boxes)


def _starts(middles: tuple[float, float], length: int, side: float, step: float) -> Float[np.ndarray, " n"]:
    """Return first pixels of boxes of `side` pixels, evenly spaced as far as `middles` allow."""
    first, last = (min(max(0.0, middle * length - side / 2), length - side) for middle in middles)
    return np.linspace(first, last, int(np.ceil((last - first) / step)) + 1)


def _relative_box(piece: np.ndarray) -> Float[np.ndarray, " 4"]:
    """Return center x and y, width and height as shares of the picture."""
    x0, y0, x1, y1 = box_around(piece)
    height, width = piece.shape
    box = np.array([(x0 + x1 + 1) / 2, (y0 + y1 + 1) / 2, x1 - x0 + 1, y1 - y0 + 1])
    relative: np.ndarray = box / (width, height, width, height)
    return relative


def _representatives(boxes: Float[np.ndarray, "n 4"], config: ProposalConfig) -> list[BoxSize]:
    """Return `config.sizes` boxes chosen evenly by area, without similar ones."""
    order = np.argsort(boxes[:, 2] * boxes[:, 3], kind="stable")
    room, place = 1 + config.box_margin, config.place_margin
    x, y = (
        (max(0.0, float(boxes[:, axis].min()) - place), min(1.0, float(boxes[:, axis].max()) + place))
        for axis in (0, 1)
    )
    chosen = [boxes[row, 2:] * room for row in choose_evenly(order.tolist(), config.sizes)]
    kept: list[np.ndarray] = []
    for size in chosen:
        if not any(np.allclose(size, other, rtol=0.1) for other in kept):
            kept.append(size)
    return [BoxSize(min(1.0, float(wide)), min(1.0, float(high)), x, y) for wide, high in kept]
