"""Interpolating a stack: labels for all slices from the annotated ones, without learning. Read this first.

    crop to the object's reach -> flow between neighbors -> carried shapes and random walker, gap by gap
    -> weights by leaving annotated slices out -> the label with the higher log-odds wins

Annotated slices keep their labels; a label stays away from slices that were annotated as empty.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float32, UInt

from sammed.annotations.annotations import Annotations
from sammed.errors import AnnotationError, ConfigError
from sammed.interpolation.carried_shapes import MarkedLabel
from sammed.interpolation.optical_flow import NeighborFlow
from sammed.interpolation.random_walker import reduction
from sammed.interpolation.voices import VOICES, Stack, Voice, gaps, weigh

Method = Literal["mean", "flow", "random-walker"]

MARGIN_PX = 32
"""How far beyond the annotated outlines an object may reach in other slices, and half its own size more."""


@dataclass(frozen=True, slots=True, eq=False)
class InterpolatedStack:
    """Labels S H W; by label value what the mixture reached on slices left out, and the voices' weights.

    `reduction` is how many times smaller slices were for the random walker in the largest gap.
    """

    stack: UInt[np.ndarray, "S H W"]
    expected_dice: Mapping[int, float | None]
    weights: Mapping[int, Mapping[Voice, float]]
    reduction: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class AnnotatedStack:
    """A stack and its labels in the annotated slices, cropped to `rows` and `columns` of the whole slices."""

    stack: Stack
    labels: tuple[MarkedLabel, ...]
    rows: slice
    columns: slice

    @property
    def reduction(self) -> int:
        """How many times smaller slices are made for the random walker in the largest gap."""
        images, indices = self.stack.images, self.labels[0].indices
        lengths = (last - first + 1 for first, last in gaps(indices, len(images)))
        return reduction((max(lengths, default=1), *images.shape[1:]))


def annotated_stack(
    images: Iterable[Float32[np.ndarray, "H W"]],
    annotations: Annotations,
    pixel_spacing_mm: tuple[float, float],
    slice_spacing_mm: float,
) -> AnnotatedStack:
    """Crop a stack to what its annotated objects may reach; `images` are 0..1.

    Raises AnnotationError where no annotated slice shows a label.
    """
    if not annotations.labels:
        raise AnnotationError("No annotated slice shows a label.")
    rows, columns = reach(annotations)
    # Copies, because a view would keep its whole slice in memory.
    cropped = np.stack([image[rows, columns].astype(np.float32, copy=True) for image in images])
    labels = tuple(
        MarkedLabel(annotations.indices, annotations.mask(label)[:, rows, columns])
        for label in annotations.labels
    )
    stack = Stack(cropped, NeighborFlow(cropped), pixel_spacing_mm, slice_spacing_mm)
    return AnnotatedStack(stack, labels, rows, columns)


def interpolate_stack(
    images: Iterable[Float32[np.ndarray, "H W"]],
    annotations: Annotations,
    pixel_spacing_mm: tuple[float, float],
    slice_spacing_mm: float,
    method: Method = "mean",
    progress: Callable[[int], None] | None = None,
) -> InterpolatedStack:
    """Label every slice; `images` are 0..1, and `progress` is called once for each gap that is filled.

    Raises ConfigError for an unknown method.
    """
    if method not in get_args(Method):
        raise ConfigError(f"There is no method {method!r}; there are {', '.join(get_args(Method))}.")
    around = annotated_stack(images, annotations, pixel_spacing_mm, slice_spacing_mm)
    stack, labels = around.stack, around.labels
    voices: tuple[Voice, ...] = VOICES if method == "mean" else (method,)
    weights, expected = weigh(stack, labels, voices)
    found = np.zeros((stack.flow.count, *annotations.masks.shape[1:]), dtype=annotations.masks.dtype)
    found[list(annotations.indices)] = annotations.masks
    values = np.array([label.value for label in annotations.labels], dtype=found.dtype)
    for first, last in gaps(annotations.indices, stack.flow.count):
        logits = stack.speak(labels, first, last, voices).mixed(weights)
        winner = values[logits.argmax(axis=0)]
        found[first : last + 1, around.rows, around.columns] = np.where(logits.max(axis=0) > 0, winner, 0)
        if progress is not None:
            progress(1)
    by_value = [label.value for label in annotations.labels]
    return InterpolatedStack(
        found,
        dict(zip(by_value, expected, strict=True)),
        dict(zip(by_value, weights, strict=True)),
        around.reduction if "random-walker" in voices else 1,
    )


def reach(annotations: Annotations) -> tuple[slice, slice]:
    """Rows and columns that the annotated objects may reach in any slice."""
    values = [label.value for label in annotations.labels]
    _, rows, columns = np.nonzero(np.isin(annotations.masks, values))
    height, width = annotations.masks.shape[1:]
    return _widened(rows, height), _widened(columns, width)


def _widened(places: np.ndarray, length: int) -> slice:
    first, last = int(places.min()), int(places.max())
    margin = MARGIN_PX + (last - first + 1) // 2
    return slice(max(0, first - margin), min(length, last + margin + 1))
