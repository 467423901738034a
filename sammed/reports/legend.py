"""The legend of an overlay: which color and line stands for what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from sammed_volumes.labels import Label

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

Color: TypeAlias = str | tuple[float, float, float]

INK = "#e8ebef"
ANNOTATED = "#ffd23f"
TRUTH = "#ffffff"
TRUTH_DASHES = (0.0, (3.2, 2.2))

_LEGEND_ENTRY_INCHES = 1.6


def draw_legend(figure: Figure, entries: Sequence[tuple[str, Any]]) -> None:
    """Draw the legend below the panels."""
    from matplotlib.legend_handler import HandlerTuple

    names, handles = [name for name, _ in entries], [handle for _, handle in entries]
    legend = figure.legend(
        handles,
        names,
        handler_map={tuple: HandlerTuple(ndivide=None, pad=0.0)},
        loc="lower center",
        ncols=min(len(names), legend_columns(figure.get_figwidth())),
        frameon=False,
        labelcolor=INK,
        fontsize=9,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)  # a "$" in a label's name is a dollar sign


def legend_entries(labels: Sequence[Label], *, truth: bool, annotated: bool) -> list[tuple[str, Any]]:
    """Return names and matplotlib handles; a tuple of lines is drawn as one line of several colors."""
    from matplotlib.lines import Line2D

    entries: list[tuple[str, Any]] = [
        (_plain(label.name), _square(label_color(label), filled=True)) for label in labels
    ]
    colors: list[Color] = [label_color(label) for label in labels[:3]] or [INK]
    entries.append(("prediction", tuple(Line2D([], [], color=color, linewidth=1.8) for color in colors)))
    if truth:
        entries.append(("truth", Line2D([], [], color=TRUTH, linewidth=1.1, linestyle=TRUTH_DASHES)))
    if annotated:
        entries.append(("annotated slice", _square(ANNOTATED, filled=False)))
    return entries


def _square(color: Color, *, filled: bool) -> Line2D:
    from matplotlib.lines import Line2D

    square = Line2D([], [], linestyle="none", marker="s", markersize=9, markeredgewidth=1.8, color=color)
    square.set_markerfacecolor(color if filled else "none")
    return square


def legend_columns(width_inches: float) -> int:
    """Return how many entries fit in a row."""
    return max(1, int(width_inches // _LEGEND_ENTRY_INCHES))


def _plain(name: str) -> str:
    """Return a name that matplotlib shows; it hides names that start with an underscore."""
    return f" {name}" if name.startswith("_") else name


def label_color(label: Label) -> tuple[float, float, float]:
    """Return a label's color, 0..1 each."""
    red, green, blue = label.color_rgb
    return red / 255, green / 255, blue / 255
