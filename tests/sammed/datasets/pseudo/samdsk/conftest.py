"""Small pictures with overlapping masks, and what brute force says of them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from sammed.datasets.pseudo.samdsk.config import CountLimits


def ellipses(
    rng: np.random.Generator, shape: tuple[int, int], count: int, least: float = 0.1, most: float = 0.4
) -> np.ndarray:
    """`count` filled ellipses, count H W, whose half axes are shares of the height."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    masks = []
    for _ in range(count):
        y, x = rng.uniform(0, shape[0]), rng.uniform(0, shape[1])
        a, b = rng.uniform(least, most, 2) * shape[0]
        masks.append(((rows - y) / a) ** 2 + ((columns - x) / b) ** 2 <= 1)
    return np.stack(masks)


def soft_iou_of_pixels(probabilities: np.ndarray, mask: np.ndarray) -> float:
    """IoU over pixels, with the least and the greatest of the two: no atom, no fraction."""
    return float(np.minimum(probabilities, mask).sum() / np.maximum(probabilities, mask).sum())


def every_assignment(
    masks: np.ndarray, maps: np.ndarray, limits: Sequence[CountLimits]
) -> Iterator[tuple[float, tuple[int, ...]]]:
    """β and the class of each proposal (the number of classes: none) for all that equation 3 allows."""
    classes = len(maps)
    for assigned in itertools.product(range(classes + 1), repeat=len(masks)):
        if not all(each.lower <= assigned.count(c) <= each.upper for c, each in enumerate(limits)):
            continue
        unions = [masks[np.array(assigned) == c].any(axis=0) for c in range(classes)]
        scores = [soft_iou_of_pixels(p, union) for p, union in zip(maps, unions, strict=True)]
        yield sum(scores) / classes, assigned


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20230901)
