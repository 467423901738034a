"""Intensity: the range of a volume's values that the backbone sees as 0 to 1.

A window in Hounsfield units ("hu") or plain values ("value") is the same range in every volume. A
"percentile" window is a range of percentiles of the values inside the body, so it also fits an MRI scanner
with another scale. All estimates use the canonical stack, so an anatomy gets the same window however its
array is stored.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Shaped
from scipy import ndimage

from sammed_volumes.errors import WindowError
from sammed_volumes.slices import Slicing, plan_slices
from sammed_volumes.volume import Volume, planes

Unit = Literal["hu", "value", "percentile"]

AIR_HU = -1024.0
"""The lowest meaningful value of a CT; outside the scan circle are values such as -2000 and -3024."""

_UNSPECIFIED_MODALITIES = (None, "OT")  # DICOM's "other" may be a CT that a program derived
_OUTSIDE_SCAN_HU = -1200.0  # below any air, above any padding
_DENSEST_HU = 3071.0  # the highest value of 12 bits at an offset of -1024

# Estimates use about this many voxels from at most this many slices, spread evenly.
_SAMPLES = 200_000
_SAMPLED_SLICES = 32

# The body is brighter than the 2nd percentile by a tenth of the distance to the 98th: low enough to keep dark
# tissue if the image contains no air (Smith 2002, BET, has the same rule for its "robust range").
_BODY_FRACTION = 0.1
_DARKEST_PERCENTILE = 2

# The default window of an MRI: all but the brightest half percent.
_MRI_PERCENTILES = (0.0, 99.5)

# The neighborhood of an annotated region extends this far.
_NEIGHBORHOOD_MM = 15.0
# The window exceeds the region's own range by this fraction of it, in CT within these limits, but not the
# range of the neighborhood.
_MARGIN = 0.75
_MARGIN_LIMITS_HU = (100.0, 300.0)
# Air or contrast agent in an organ (stomach, bowel) must not widen the window of soft tissue.
_SOFT_TISSUE_LIMITS_HU = (-160.0, 400.0)
_LEAST_WIDTH_HU = 300.0


@dataclass(frozen=True, slots=True)
class Window:
    """A range of intensities that maps to 0 to 1.

    `low` and `high` are Hounsfield units ("hu"), plain values ("value"), or percentiles 0..100 of the values
    inside the body ("percentile").
    """

    low: float
    high: float
    unit: Unit

    def __post_init__(self) -> None:
        if not (np.isfinite([self.low, self.high]).all() and self.low < self.high):
            raise WindowError(
                f"A window runs from a lower to a higher number, not from {self.low} to {self.high}."
            )
        if self.unit == "percentile" and not 0 <= self.low < self.high <= 100:
            raise WindowError(f"Percentiles must be between 0 and 100, not {self.low} and {self.high}.")


WINDOW_PRESETS = {
    "soft-tissue": Window(-160.0, 240.0, "hu"),
    "abdomen": Window(-160.0, 240.0, "hu"),
    "liver": Window(-45.0, 105.0, "hu"),
    "mediastinum": Window(-125.0, 225.0, "hu"),
    "lung": Window(-1350.0, 150.0, "hu"),
    "bone": Window(-500.0, 1300.0, "hu"),
    "brain": Window(0.0, 80.0, "hu"),
}
"""Named CT windows, from the levels and widths that radiologists use."""


def parse_window(text: str) -> Window | None:
    """Parse a window: "auto" (None), the name of a preset, or "LOW,HIGH". Raises WindowError otherwise.

    >>> parse_window("-100, 250.5")
    Window(low=-100.0, high=250.5, unit='value')
    >>> parse_window("auto") is None
    True
    """
    word = text.strip().lower()
    if word == "auto":
        return None
    if word in WINDOW_PRESETS:
        return WINDOW_PRESETS[word]
    try:
        low, high = (float(part) for part in word.split(","))
    except ValueError:
        presets = ", ".join(WINDOW_PRESETS)
        raise WindowError(f"A window is auto, LOW,HIGH or one of {presets}; not {text!r}.") from None
    return Window(low, high, "value")


def is_ct(volume: Volume) -> bool:
    """Whether the values are Hounsfield units, by DICOM's modality, or else by the values themselves.

    They are if some are air (below -500), more than 5 percent are soft tissue or fat (-200 to 250), and none
    exceeds 16 bits. Values outside the scan circle do not count.
    """
    if volume.modality not in _UNSPECIFIED_MODALITIES:
        return volume.modality == "CT"
    if volume.is_picture or volume.is_color:
        return False
    values = sample_values(volume, plan_slices(volume.shape, volume.affine_ras_mm))
    inside = values[values > _OUTSIDE_SCAN_HU]
    if inside.size == 0 or np.percentile(inside, 0.5) > -500 or inside.max() > 32767:
        return False
    return bool(np.mean((inside > -200) & (inside < 250)) > 0.05)


def is_constant(volume: Volume) -> bool:
    """Whether all voxels have the same value. NaN counts as background."""
    first: float | None = None
    for plane in planes(volume.voxels):
        values = volume.values(plane)
        if first is None:
            first = float(values.flat[0])
        if values.min() != first or values.max() != first:
            return False
    return True


def resolve(window: Window, volume: Volume, slicing: Slicing) -> tuple[float, float]:
    """Return the window's limits in the volume's own values; they are equal only if the body has one value.

    Percentile 0 includes what is darker than the body, such as lungs in MRI: it is the 2nd percentile of the
    whole volume.
    """
    if window.unit != "percentile":
        return window.low, window.high
    low, high = np.percentile(_body_values(volume, slicing), (window.low, window.high))
    if window.low == 0:
        low = np.percentile(sample_values(volume, slicing), _DARKEST_PERCENTILE)
    return float(low), float(high)


def default_window(volume: Volume) -> Window:
    """Return the window for a volume without annotations: 0..255, CT soft tissue, or MRI percentiles."""
    if volume.is_picture:
        return Window(0.0, 255.0, "value")
    return WINDOW_PRESETS["soft-tissue"] if is_ct(volume) else Window(*_MRI_PERCENTILES, "percentile")


def auto_window(volume: Volume, slicing: Slicing, region: Bool[np.ndarray, "S H W"] | None) -> Window:
    """Return the window for an annotated `region`: the range of its values with margins.

    The unit is HU for CT and percentiles of the body for MRI. An 8-bit picture always gets 0..255. If the
    region is None or empty, returns `default_window`.
    """
    if volume.is_picture or region is None or not region.any():
        return default_window(volume)
    inside, around = _region_values(volume, slicing, region)
    if is_ct(volume):
        return _ct_window(inside, around)
    return _percentile_window(inside, around, _body_values(volume, slicing))


def with_channels(image: Float[np.ndarray, "H W *C"]) -> Float[np.ndarray, "H W C"]:
    """Return a slice with its channels last; a gray slice gets one channel."""
    return image if image.ndim == 3 else image[:, :, np.newaxis]


def apply(values: Shaped[np.ndarray, "H W *C"], low: float, high: float) -> Float[np.ndarray, "H W *C"]:
    """Map values to float32 0..1: `low` to 0, `high` to 1, clipped; NaN and an empty window give 0."""
    if not high > low:
        return np.zeros(values.shape, dtype=np.float32)
    scaled = (values.astype(np.float32) - np.float32(low)) / np.float32(high - low)
    scaled = np.clip(scaled, 0.0, 1.0)
    return np.where(np.isfinite(values), scaled, np.float32(0))


def sample_values(volume: Volume, slicing: Slicing) -> Float[np.ndarray, " N"]:
    """Return about 200,000 values of the volume or fewer, spread evenly over the stack, in float32."""
    stack = slicing.to_stack(volume.voxels)
    # The same step along all axes would skip most slices of a flat volume: choose slices, then thin pixels.
    slice_step = _every(slicing.count)
    pixels = stack[::slice_step].size
    pixel_step = max(1, int(np.ceil(np.sqrt(pixels / _SAMPLES))))
    return volume.values(stack[::slice_step, ::pixel_step, ::pixel_step]).ravel()


def _every(slices: int) -> int:
    """Return the step that selects at most 32 of so many slices, spread evenly."""
    return -(-slices // _SAMPLED_SLICES)


def _body_values(volume: Volume, slicing: Slicing) -> np.ndarray:
    values = sample_values(volume, slicing)
    if is_ct(volume):
        return values[values > _OUTSIDE_SCAN_HU]
    low, high = np.percentile(values, (_DARKEST_PERCENTILE, 100 - _DARKEST_PERCENTILE))
    body = values[values > low + _BODY_FRACTION * (high - low)]
    return body if body.size else values


def _region_values(volume: Volume, slicing: Slicing, region: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the values in the region, and in it and its neighborhood, from at most 32 of its slices."""
    stack = slicing.to_stack(volume.voxels)
    inside, around = [], []
    annotated = np.flatnonzero(region.any(axis=(1, 2)))
    for index in annotated[:: _every(annotated.size)]:
        values = volume.values(stack[index])  # H W
        distance_mm = ndimage.distance_transform_edt(~region[index], sampling=slicing.pixel_spacing_mm)
        inside.append(values[region[index]].ravel())
        around.append(values[distance_mm <= _NEIGHBORHOOD_MM].ravel())
    return np.concatenate(inside), np.concatenate(around)


def _ct_window(inside: np.ndarray, around: np.ndarray) -> Window:
    inside, around = inside[inside > _OUTSIDE_SCAN_HU], around[around > _OUTSIDE_SCAN_HU]
    if inside.size == 0:
        return WINDOW_PRESETS["soft-tissue"]
    low, high = _widened(inside, around, _MARGIN_LIMITS_HU)
    softest, hardest = _SOFT_TISSUE_LIMITS_HU
    is_soft = softest < np.median(inside) < hardest
    low, high = max(low, softest if is_soft else AIR_HU), min(high, hardest if is_soft else _DENSEST_HU)
    return Window(float(round(low)), float(round(max(high, low + _LEAST_WIDTH_HU))), "hu")


def _percentile_window(inside: np.ndarray, around: np.ndarray, body: np.ndarray) -> Window:
    low, high = _widened(inside, around, (0.0, np.inf))
    ranks = np.searchsorted(np.sort(body), (low, high)) / body.size * 100
    low_rank, high_rank = float(ranks[0]), float(ranks[1])
    # The extremes of an MRI are vessels and noise.
    low_rank, high_rank = min(low_rank, 90.0), min(high_rank, 99.9)
    return Window(round(low_rank, 2), round(max(high_rank, low_rank + 9.9), 2), "percentile")


def _widened(
    inside: np.ndarray, around: np.ndarray, margin_limits: tuple[float, float]
) -> tuple[float, float]:
    """Return the region's robust range with margins, within the neighborhood's robust range."""
    low, high = np.percentile(inside, (1, 99))
    margin = np.clip(_MARGIN * (high - low), *margin_limits)
    lowest, highest = np.percentile(around, (0.5, 99.5))
    low, high = max(low - margin, min(lowest, low)), min(high + margin, max(highest, high))
    return float(low), float(high)
