"""Which boxes a grid is made of: sizes as shares of a picture, and where their middles may lie.

A SAM that knows only boxes fills the box it is given, so that a box of the wrong size gives a mask of the
wrong size. The gold labels tell how large the objects are and where in a picture they lie: knowledge of the
domain that no student has a part in. Without them the sizes are those of the config, everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt

from sammed.datasets.pseudo.proposals.config import ProposalConfig
from sammed.errors import ConfigError
from sammed.prompts.boxes import box_around
from sammed.prompts.instances import instances


@dataclass(frozen=True, slots=True)
class BoxSize:
    """A box of `width` x `height`, its middle within `x` and `y` (from, to); all shares of the picture."""

    width: float
    height: float
    x: tuple[float, float] = (0.0, 1.0)
    y: tuple[float, float] = (0.0, 1.0)

    def __post_init__(self) -> None:
        if not (0 < self.width <= 1 and 0 < self.height <= 1):
            raise ConfigError(f"A box of {self.width} x {self.height} is no part of a picture.")


def general_sizes(height: int, width: int, config: ProposalConfig) -> tuple[BoxSize, ...]:
    """Square, wide and tall boxes (`config.aspects`) of each of `config.sides`, anywhere."""
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
    """A few sizes for each label, from its smallest object to its largest; none where nothing is labeled.

    Objects are the connected pieces of a label. The boxes are `config.box_margin` larger, for the objects of
    other pictures fit no grid exactly, and cutting one off is worse than leaving room.
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
    """Boxes (x0, y0, x1, y1) in slice pixels, as dense as `config.most_boxes` allows for all sizes together.

    Neighbors overlap by `config.box_overlap`, or by less where that would be too many boxes; where even
    boxes side by side are too many, some are left out, evenly.
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
    """First pixels of boxes of `side` pixels, evenly from the first to the last that `middles` allow."""
    first, last = (min(max(0.0, middle * length - side / 2), length - side) for middle in middles)
    return np.linspace(first, last, int(np.ceil((last - first) / step)) + 1)


def _relative_box(piece: np.ndarray) -> Float[np.ndarray, " 4"]:
    """Middle x and y, width and height as shares of the picture."""
    x0, y0, x1, y1 = box_around(piece)
    height, width = piece.shape
    box = np.array([(x0 + x1 + 1) / 2, (y0 + y1 + 1) / 2, x1 - x0 + 1, y1 - y0 + 1])
    relative: np.ndarray = box / (width, height, width, height)
    return relative


def _representatives(boxes: Float[np.ndarray, "n 4"], config: ProposalConfig) -> list[BoxSize]:
    """The boxes in the middle of `config.sizes` equal parts of all, by area; alike ones once."""
    order = np.argsort(boxes[:, 2] * boxes[:, 3], kind="stable")
    ranks = ((np.arange(config.sizes) + 0.5) / config.sizes * len(boxes)).astype(int)
    room, place = 1 + config.box_margin, config.place_margin
    x, y = (
        (max(0.0, float(boxes[:, axis].min()) - place), min(1.0, float(boxes[:, axis].max()) + place))
        for axis in (0, 1)
    )
    chosen = [boxes[order[rank], 2:] * room for rank in dict.fromkeys(ranks.tolist())]
    kept: list[np.ndarray] = []
    for size in chosen:
        if not any(np.allclose(size, other, rtol=0.1) for other in kept):
            kept.append(size)
    return [BoxSize(min(1.0, float(wide)), min(1.0, float(high)), x, y) for wide, high in kept]
