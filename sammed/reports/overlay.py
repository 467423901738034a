"""Overlays: pictures of labels on their slices, with outlines of prediction and truth.

Everything is drawn through matplotlib's objects, not pyplot: it needs no display and changes no global state.
A *panel* is one slice in the picture; the *view* is the part of the slice frame that every panel shows.
Annotated slices have a frame.
"""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float, Integer

from sammed.errors import ConfigError
from sammed.reports.legend import (
    ANNOTATED,
    INK,
    TRUTH,
    TRUTH_DASHES,
    Color,
    draw_legend,
    label_color,
    legend_columns,
    legend_entries,
)
from sammed_volumes.atomic_file import atomic_file
from sammed_volumes.labels import Label
from sammed_volumes.slices import Slicing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PAPER = "#0f1216"
_QUIET_INK = "#8b94a0"

_PANEL_INCHES = 2.1  # width of a panel
_TALLEST_INCHES = 4.2
_GAP_INCHES = 0.12
_TITLE_INCHES = 0.24  # above each panel
_LEGEND_ROW_INCHES = 0.22
_LEAST_WIDTH_INCHES = 4.5  # room for the legend under a single panel
_DOTS_PER_INCH = 150

# The view keeps at least this share of the slice in each direction, so that the anatomy stays recognizable.
_LEAST_VIEW = 0.5
_VIEW_MARGIN = 0.08


@dataclass(frozen=True, slots=True)
class _View:
    """Rows and columns of the slice frame that every panel shows; height of a panel over its width."""

    rows: slice
    columns: slice
    proportion: float


def draw_overlay(
    image: Float[np.ndarray, "S H W *rgb"],
    prediction: Integer[np.ndarray, "S H W"],
    reference: Integer[np.ndarray, "S H W"] | None = None,
    *,
    labels: Sequence[Label],
    slicing: Slicing,
    path: Path,
    annotated: Collection[int] = (),
    dice_per_slice: Mapping[int, float] | None = None,
    columns: int = 6,
    rows: int = 3,
    overwrite: bool = False,
) -> Path:
    """Write `overlay_png` to a file and return its path; OutputError if it can't be written."""
    picture = overlay_png(
        image,
        prediction,
        reference,
        labels=labels,
        slicing=slicing,
        annotated=annotated,
        dice_per_slice=dice_per_slice,
        columns=columns,
        rows=rows,
    )
    with atomic_file(path, ".png", overwrite=overwrite) as partial:
        partial.write_bytes(picture)
    return path


def overlay_png(
    image: Float[np.ndarray, "S H W *rgb"],
    prediction: Integer[np.ndarray, "S H W"],
    reference: Integer[np.ndarray, "S H W"] | None = None,
    *,
    labels: Sequence[Label],
    slicing: Slicing,
    annotated: Collection[int] = (),
    dice_per_slice: Mapping[int, float] | None = None,
    columns: int = 6,
    rows: int = 3,
) -> bytes:
    """Return a PNG with a grid of slices.

    The stacks are in the canonical pose (`slicing.to_stack`): `image` 0..1, gray or with three colors;
    `prediction` and `reference` with the values of `labels`. `annotated` and the keys of `dice_per_slice`
    are stack indices; the number above a slice is its index in the array. If more than `columns * rows`
    slices hold labels, evenly spaced ones are shown, with annotated slices among them.

    Raises ConfigError for stacks of different shapes.
    """
    stacks = {"prediction": prediction, "reference": reference}
    foreground = _foreground(image.shape[:3], stacks, labels)
    chosen = choose_slices(np.any(foreground, axis=(1, 2)), annotated, columns * rows)
    view = _view(np.any(foreground, axis=0), slicing)
    entries = legend_entries(labels, truth=reference is not None, annotated=bool(annotated))
    figure, panels = _figure(len(chosen), min(columns, len(chosen)), view, len(entries))
    for panel, index in zip(panels, chosen, strict=True):
        _draw_image(panel, image[index], view)
        _draw_outlines(
            panel, {name: None if it is None else it[index] for name, it in stacks.items()}, labels, view
        )
        score = None if dice_per_slice is None else dice_per_slice.get(index)
        _draw_title(panel, slicing.array_index(index), score, annotated=index in annotated)
    draw_legend(figure, entries)
    return _png(figure)


def choose_slices(labeled: Bool[np.ndarray, " S"], annotated: Collection[int], count: int) -> tuple[int, ...]:
    """Return at most `count` stack indices, evenly spaced over the labeled range, or over all slices.

    Each annotated slice in the range replaces the nearest chosen slice, while there are slices to replace.

    >>> choose_slices(np.ones(9, dtype=bool), [3], 3)
    (0, 3, 8)
    """
    where = np.flatnonzero(labeled)
    first, last = (int(where[0]), int(where[-1])) if where.size else (0, len(labeled) - 1)
    count = min(count, last - first + 1)
    even = np.linspace(first, last, count) if count > 1 else np.array([(first + last) / 2])
    chosen = [round(float(position)) for position in even]
    fixed: set[int] = set()
    for index in sorted(index for index in annotated if first <= index <= last):
        free = [place for place in range(count) if place not in fixed]
        if not free:
            break
        nearest = min(free, key=lambda place: abs(chosen[place] - index))
        chosen[nearest] = index
        fixed.add(nearest)
    return tuple(sorted(set(chosen)))


def _foreground(
    shape: tuple[int, ...], stacks: Mapping[str, Integer[np.ndarray, "S H W"] | None], labels: Sequence[Label]
) -> Bool[np.ndarray, "S H W"]:
    """Return where any stack holds a label; ConfigError if a stack does not have the image's shape."""
    found = np.zeros(shape, dtype=bool)
    for name, stack in stacks.items():
        if stack is None:
            continue
        if stack.shape != shape:
            raise ConfigError(
                f"The image stack has shape {shape}, the {name} {stack.shape}; they must agree."
            )
        found |= np.isin(stack, [label.value for label in labels])
    return found


def _view(outline: Bool[np.ndarray, "H W"], slicing: Slicing) -> _View:
    rows = _range(np.any(outline, axis=1))
    columns = _range(np.any(outline, axis=0))
    row_mm, column_mm = slicing.pixel_spacing_mm
    height_mm, width_mm = (rows.stop - rows.start) * row_mm, (columns.stop - columns.start) * column_mm
    return _View(rows, columns, height_mm / width_mm)


def _range(found: Bool[np.ndarray, " n"]) -> slice:
    """Return the labeled range with a margin, at least `_LEAST_VIEW` of the whole; or the whole."""
    where = np.flatnonzero(found)
    if not where.size:
        return slice(0, len(found))
    length = (where[-1] - where[0] + 1) + 2 * _VIEW_MARGIN * len(found)
    length = math.ceil(min(len(found), max(length, _LEAST_VIEW * len(found))))
    start = round((where[0] + where[-1] + 1 - length) / 2)
    start = min(max(start, 0), len(found) - length)
    return slice(start, start + length)


def _figure(count: int, columns: int, view: _View, entry_count: int) -> tuple[Figure, list[Axes]]:
    """Return a figure with one panel per slice, laid out in inches from the top left, above the legend."""
    from matplotlib.figure import Figure

    across = min(_PANEL_INCHES, _TALLEST_INCHES / view.proportion)
    height = across * view.proportion
    step_x, step_y = across + _GAP_INCHES, height + _TITLE_INCHES + _GAP_INCHES
    width = max(columns * step_x + _GAP_INCHES, _LEAST_WIDTH_INCHES)
    legend = _LEGEND_ROW_INCHES * math.ceil(entry_count / legend_columns(width)) + 2 * _GAP_INCHES
    size = (width, math.ceil(count / columns) * step_y + legend)
    figure = Figure(figsize=size, dpi=_DOTS_PER_INCH, facecolor=_PAPER)
    left = (width - (columns * step_x - _GAP_INCHES)) / 2
    panels = []
    for place in range(count):
        x = left + (place % columns) * step_x
        y = size[1] - (place // columns + 1) * step_y
        box = (x / size[0], y / size[1], across / size[0], height / size[1])
        panels.append(figure.add_axes(box, facecolor=_PAPER))
    return figure, panels


def _draw_image(panel: Axes, image: Float[np.ndarray, "H W *rgb"], view: _View) -> None:
    shown = image[view.rows, view.columns]
    # aspect="auto": the panel itself has the proportion of the view in millimeters.
    panel.imshow(np.clip(shown, 0, 1), cmap="gray", vmin=0, vmax=1, aspect="auto", interpolation="bilinear")
    panel.set(xticks=[], yticks=[], autoscale_on=False)  # outlines must not widen what the image set


def _draw_outlines(
    panel: Axes, masks: Mapping[str, Integer[np.ndarray, "H W"] | None], labels: Sequence[Label], view: _View
) -> None:
    """Draw the prediction first, so that the thin dashes of the truth are on top of its wider lines."""
    for label in labels:
        if (mask := masks["prediction"]) is not None:
            _outline(panel, mask == label.value, view, label_color(label), 1.6, "solid")
    for label in labels:
        if (mask := masks["reference"]) is not None:
            _outline(panel, mask == label.value, view, TRUTH, 0.9, TRUTH_DASHES)


def _outline(
    panel: Axes, mask: Bool[np.ndarray, "H W"], view: _View, color: Color, width: float, dashes: Any
) -> None:
    from matplotlib.patheffects import withStroke

    shown = np.pad(
        mask[view.rows, view.columns].astype(np.float32), 1
    )  # a margin closes outlines at the border
    if not shown.any():
        return
    x, y = np.arange(-1, shown.shape[1] - 1), np.arange(-1, shown.shape[0] - 1)
    lines = panel.contour(x, y, shown, levels=[0.5], colors=[color], linewidths=width, linestyles=[dashes])
    # A dark edge keeps the line visible on bright tissue.
    lines.set_path_effects([withStroke(linewidth=width + 0.9, foreground="black", alpha=0.55)])


def _draw_title(panel: Axes, index: int, score: float | None, *, annotated: bool) -> None:
    for spine in panel.spines.values():
        spine.set(edgecolor=ANNOTATED if annotated else _PAPER, linewidth=2.2 if annotated else 0.5)
    color = ANNOTATED if annotated else _QUIET_INK
    panel.set_title(f"slice {index}", loc="left", color=color, fontsize=8.5, pad=4)
    if score is not None and not math.isnan(score):
        panel.set_title(f"Dice {score:.3f}", loc="right", color=INK, fontsize=8.5, pad=4)


def _png(figure: Figure) -> bytes:
    picture = io.BytesIO()
    with warnings.catch_warnings():
        # Characters that the font lacks are shown as boxes.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure.savefig(picture, format="png", facecolor=_PAPER)
    return picture.getvalue()
