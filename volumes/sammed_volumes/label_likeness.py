"""Label likeness: whether whole numbers are labels, which come in pieces, or the gray values of an image."""

from __future__ import annotations

import numpy as np
from jaxtyping import Shaped

from sammed_volumes.errors import LabelError
from sammed_volumes.labels import LabelVolume
from sammed_volumes.volume import planes

_FEW_VALUES = 8  # so few are labels, however they are spread
_LEAST_EQUAL = 0.5  # share of neighbors; labels have 0.8 to 1, gray values seldom 0.3


def is_like_labels(voxels: Shaped[np.ndarray, "X Y Z"]) -> bool:
    """Whether whole numbers are labels: few values, or pieces in which neighbors have the same value.

    The background, 0, does not count: an image may have that in large pieces, too.
    """
    found: set[int] = set()
    pairs = equal = 0
    for plane in planes(voxels):
        found.update(np.unique(plane).tolist())
        for ours, theirs in ((plane[1:], plane[:-1]), (plane[:, 1:], plane[:, :-1])):
            is_inside = (ours > 0) & (theirs > 0)
            pairs += int(np.count_nonzero(is_inside))
            equal += int(np.count_nonzero(is_inside & (ours == theirs)))
    return len(found - {0}) <= _FEW_VALUES or equal >= _LEAST_EQUAL * pairs


def check_are_labels(labels: LabelVolume) -> None:
    """Raise LabelError for labels that are the gray values of an image, which was given in their place."""
    if not is_like_labels(labels.voxels):
        raise LabelError(
            f"{labels.path or 'The label volume'} looks like an image, not like labels: it has "
            f"{len(labels.labels)} values, and neighbors differ; give the labels of the image."
        )
