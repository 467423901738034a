"""Evaluation: overlap and surface distance of a prediction and a reference, per label, in 3-D, in mm.

Dice and IoU count voxels. HD95 is the 95th percentile of the distances between the two surfaces, the larger
of both directions; NSD is the share of both surfaces that lies within a tolerance of the other. Both come
from MONAI with the voxel spacing; a volume of one slice is measured in its plane.

Empty masks: if both are empty, the label is correct (Dice, IoU and NSD 1, HD95 0); if one is empty, Dice, IoU
and NSD are 0 and HD95 has no value (NaN here, null in JSON).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable
from dataclasses import asdict, astuple, dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Int
from scipy import ndimage

from sammed.errors import ConfigError
from sammed.metrics.matching import match_labels
from sammed.metrics.surface import hd95_mm, nsd
from sammed_volumes.affine import spacing_mm
from sammed_volumes.errors import LabelError, VolumeError
from sammed_volumes.labels import Label, LabelVolume
from sammed_volumes.lattice import LatticeMap
from sammed_volumes.placing import check_overlap, fit, labels_on, widened
from sammed_volumes.slices import plan_slices


@dataclass(frozen=True, slots=True)
class Scores:
    """Dice, IoU and NSD (0..1, more is better) and HD95 (mm, less is better); NaN if there is no value."""

    dice: float
    iou: float
    hd95_mm: float
    nsd: float

    def to_json(self) -> dict[str, float | None]:
        """Return the scores under their names, with None in place of NaN."""
        return {name: None if math.isnan(value) else value for name, value in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class LabelScores:
    """The scores of one label; `value` is the reference's, or the prediction's if only that has the label."""

    value: int
    name: str
    scores: Scores
    only_in: Literal["prediction", "reference"] | None = None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What `evaluate` measured. The mean gives labels equal weight and ignores missing HD95."""

    labels: tuple[LabelScores, ...]
    mean: Scores
    axis: int | None
    excluded_slices: tuple[int, ...]
    tolerance_mm: float
    resampled: bool = False

    def to_json(self) -> dict[str, object]:
        """Return what `sammed evaluate --json` prints: `labels: {VALUE: {name ...}}` and `mean: {...}`.

        A label of the prediction alone, whose value stands for another label in the reference, has the key
        `prediction:VALUE`.
        """
        labels: dict[str, object] = {}
        for label in self.labels:
            key = str(label.value)
            if key in labels:
                key = f"prediction:{label.value}"
            labels[key] = {"name": label.name, **label.scores.to_json()}
        scores = {"labels": labels, "mean": self.mean.to_json()}
        return {**scores, "resampled": True} if self.resampled else scores


def dice(prediction: Bool[np.ndarray, "*axes"], reference: Bool[np.ndarray, "*axes"]) -> float:
    """Return twice the overlap over the sum of both masks, 0..1; 1 if both are empty.

    >>> dice(np.array([True, True, False]), np.array([True, False, False]))
    0.6666666666666666
    """
    total = int(np.count_nonzero(prediction)) + int(np.count_nonzero(reference))
    if total == 0:
        return 1.0
    return 2.0 * int(np.count_nonzero(prediction & reference)) / total


def evaluate(
    prediction: LabelVolume,
    reference: LabelVolume,
    *,
    exclude_slices: Collection[int] = (),
    axis: int | None = None,
    tolerance_mm: float = 1.0,
    resample: bool = False,
    report: Callable[[str], None] | None = None,
) -> Evaluation:
    """Compare two label volumes on one lattice, label by label.

    The prediction is brought onto the reference's grid voxel by voxel; where it extends beyond, its labels
    count as false. With `resample` a prediction on another lattice is interpolated (see `labels_on`), and
    `report` is called with a sentence about that.

    Only labels that the volumes list count. Two labels are the same if they have the same name (ignoring
    case), or, if one of them has no name of its own, the same value; a label that only one volume has is
    compared with an empty mask. If no two labels are the same, see `match_labels`.

    `exclude_slices` are indices along `axis` (default: the axis of `plan_slices`) of the prediction's array,
    which sammed writes on the image's grid: the annotated slices under the indices that sammed prints. A
    prediction that had to be resampled has no such slices; then they count along the reference. They don't
    affect any score: Dice and IoU don't count their voxels, HD95 and NSD ignore the surface in them. Such a
    slice is replaced by the nearest slice that counts, so that no object is cut open there.

    `tolerance_mm` is the distance up to which NSD treats two surfaces as equal.

    Raises GeometryMismatchError for different lattices and volumes without a common voxel, LabelError if
    neither volume lists a label, VolumeError for slices outside the volume, and ConfigError for an exclusion
    that leaves no slice or a negative tolerance.
    """
    if not (math.isfinite(tolerance_mm) and tolerance_mm >= 0):
        raise ConfigError(f"The tolerance must be a distance of 0 mm or more, not {tolerance_mm}.")
    placed, canvas, found = _on_one_grid(prediction, reference, resample, report)
    if not (prediction.labels or reference.labels):
        raise LabelError("Neither label volume shows a label, so there is nothing to compare.")
    excluded = tuple(sorted(set(exclude_slices)))
    along = canvas if found is None else prediction
    if excluded and axis is None:
        axis = plan_slices(along.shape, along.affine_ras_mm).axis
    kept = _kept_slices(canvas.shape, axis, excluded, along.shape, found)
    counted = np.broadcast_to(True, canvas.shape) if kept is None else kept.voxels
    spacing = spacing_mm(reference.affine_ras_mm)
    rows = []
    for ours, truth in match_labels(placed.labels, reference.labels, report):
        masks = (_mask(placed, ours, kept), _mask(canvas, truth, kept))
        rows.append(_label_scores(ours, truth, _scores(*masks, counted, spacing, tolerance_mm)))
    mean = _mean(row.scores for row in rows)
    return Evaluation(tuple(rows), mean, axis, excluded, tolerance_mm, placed.resampled)


def _on_one_grid(
    prediction: LabelVolume,
    reference: LabelVolume,
    resample: bool,
    report: Callable[[str], None] | None,
) -> tuple[LabelVolume, LabelVolume, LatticeMap | None]:
    """Both on one grid, a canvas that holds all labels; and the prediction's map there, None if resampled."""
    found, canvas = fit(reference.grid, prediction), reference
    if found.map is not None and found.outside:
        check_overlap(reference, prediction, found)
        canvas = widened(reference, found.map)
        found = fit(canvas.grid, prediction)
    return labels_on(canvas, prediction, resample=resample, report=report), canvas, found.map


@dataclass(frozen=True, slots=True, eq=False)
class _Kept:
    """The `voxels` that count, and for each slice along `axis` the `nearest` slice that counts."""

    axis: int
    nearest: Int[np.ndarray, " n"]
    voxels: Bool[np.ndarray, "X Y Z"]


def _kept_slices(
    shape: tuple[int, ...],
    axis: int | None,
    excluded: tuple[int, ...],
    typed_shape: tuple[int, ...],
    found: LatticeMap | None,
) -> _Kept | None:
    """Return all but the excluded slices of the canvas; None if all count.

    `axis` and `excluded` are of an array of `typed_shape`, which `found` maps onto the canvas.
    """
    if not excluded or axis is None:
        return None
    if axis not in (0, 1, 2):
        raise ConfigError(f"The slice axis must be 0, 1 or 2, not {axis}.")
    for index in excluded:
        if not 0 <= index < typed_shape[axis]:
            raise VolumeError(
                f"Slice {index} is outside the volume: axis {axis} has slices 0 to {typed_shape[axis] - 1}."
            )
    if found is not None:
        axis, excluded = found.slices(axis, excluded)
    slices = np.arange(shape[axis])
    counted = np.setdiff1d(slices, excluded)
    if not len(counted):
        raise ConfigError(
            f"All {shape[axis]} slices along axis {axis} are excluded, so there is nothing to compare."
        )
    nearest = counted[np.abs(slices[:, None] - counted).argmin(axis=1)]
    along = [length if other == axis else 1 for other, length in enumerate(shape)]
    return _Kept(axis, nearest, np.broadcast_to(np.isin(slices, counted).reshape(along), shape))


def _mask(labels: LabelVolume, label: Label | None, kept: _Kept | None) -> Bool[np.ndarray, "X Y Z"]:
    if label is None:
        return np.zeros(labels.shape, dtype=bool)
    mask: Bool[np.ndarray, "X Y Z"] = labels.voxels == label.value
    return mask if kept is None else mask.take(kept.nearest, axis=kept.axis)


def _label_scores(ours: Label | None, truth: Label | None, scores: Scores) -> LabelScores:
    if truth is None:
        assert ours is not None  # a pair has at least one label
        return LabelScores(ours.value, ours.name, scores, only_in="prediction")
    if ours is None:
        return LabelScores(truth.value, truth.name, scores, only_in="reference")
    name = ours.name if ours.own_name and not truth.own_name else truth.name
    return LabelScores(truth.value, name, scores)


def _scores(
    prediction: Bool[np.ndarray, "X Y Z"],
    reference: Bool[np.ndarray, "X Y Z"],
    kept: Bool[np.ndarray, "X Y Z"],
    spacing_mm: tuple[float, ...],
    tolerance_mm: float,
) -> Scores:
    counts = int(np.count_nonzero(prediction & kept)), int(np.count_nonzero(reference & kept))
    if 0 in counts:
        both = counts == (0, 0)
        return Scores(float(both), float(both), 0.0 if both else math.nan, float(both))
    (box,) = ndimage.find_objects((prediction | reference).view(np.uint8))
    # a volume of one slice has no surface above and below, so only outlines in the plane are measured
    flat = tuple(axis for axis, length in enumerate(reference.shape) if length == 1)
    ours, truth = (mask[box].squeeze(axis=flat) for mask in (prediction, reference))
    spacing = [length for axis, length in enumerate(spacing_mm) if axis not in flat]
    counted = kept[box].squeeze(axis=flat)
    overlap = dice(ours & counted, truth & counted)
    return Scores(
        overlap,
        overlap / (2.0 - overlap),
        hd95_mm(ours, truth, spacing, counted),
        nsd(ours, truth, spacing, counted, tolerance_mm),
    )


def _mean(rows: Iterable[Scores]) -> Scores:
    def mean(values: Iterable[float]) -> float:
        known = [value for value in values if not math.isnan(value)]
        return sum(known) / len(known) if known else math.nan

    return Scores(*map(mean, zip(*map(astuple, rows), strict=True)))
