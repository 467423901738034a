"""Polygons: which pixels a contour holds, decided at their centers."""

import numpy as np

# Closer than this to an edge, in pixels, a center lies on it.
_ON_EDGE = 1e-3


def fill_polygons(polygons: list[np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    """The pixels X Y inside an odd number of polygons, and those on an edge.

    Each polygon is N 2, in pixels, 0 being the center of the first; a polygon within another is a hole.
    Centers on an edge count, for contours that follow a mask run through its outermost centers.

    >>> fill_polygons([np.array([(0.6, 0.6), (2.4, 0.6), (2.4, 1.4), (0.6, 1.4)])], (4, 3)).sum()
    2
    """
    inside, border = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
    for points in polygons:
        ends = np.roll(points, -1, axis=0)
        columns, rows = _crossings(points, ends)
        inside ^= _right_of(columns, rows, shape)
        _mark(border, columns, rows)
        _mark(border, points[:, 0], points[:, 1])
        _mark_level_edges(border, points, ends)
    return inside | border


def _crossings(points: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where edges cross the lines through pixel centers, one row after another: columns, rows."""
    low, high = np.minimum(points[:, 1], ends[:, 1]), np.maximum(points[:, 1], ends[:, 1])
    first = np.ceil(low).astype(int)
    counts = np.maximum(np.ceil(high).astype(int) - first, 0)  # an edge's upper end is the next one's
    edges = np.repeat(np.arange(len(points)), counts)
    ramp = np.arange(len(edges)) - np.repeat(np.cumsum(counts) - counts, counts)
    rows = first[edges] + ramp
    run, rise = (ends - points)[edges].T
    return points[edges, 0] + (rows - points[edges, 1]) * run / rise, rows


def _right_of(columns: np.ndarray, rows: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Pixels with an odd number of crossings to their left."""
    is_shown = (rows >= 0) & (rows < shape[1])
    turns = np.zeros((shape[0] + 1, shape[1]), dtype=np.int32)
    np.add.at(turns, (np.ceil(columns[is_shown]).clip(0, shape[0]).astype(int), rows[is_shown]), 1)
    odd: np.ndarray = np.cumsum(turns[:-1], axis=0) % 2 == 1
    return odd


def _mark(border: np.ndarray, columns: np.ndarray, rows: np.ndarray) -> None:
    """Mark the points that are pixel centers."""
    points = np.stack([columns, rows], axis=1)
    nearest = np.round(points)
    is_center = (np.abs(points - nearest) < _ON_EDGE).all(axis=1)
    is_shown = ((nearest >= 0) & (nearest < border.shape)).all(axis=1)
    column, row = nearest[is_center & is_shown].astype(int).T
    border[column, row] = True


def _mark_level_edges(border: np.ndarray, points: np.ndarray, ends: np.ndarray) -> None:
    """Mark the centers on edges that run along a row, which no row crosses."""
    is_level = np.abs(points[:, 1] - ends[:, 1]) < _ON_EDGE
    for (start, row), (end, _) in zip(points[is_level], ends[is_level], strict=True):
        columns = np.arange(np.ceil(min(start, end) - _ON_EDGE), np.floor(max(start, end) + _ON_EDGE) + 1)
        _mark(border, columns, np.full(len(columns), row))
