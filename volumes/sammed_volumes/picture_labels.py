"""Picture labels: the values of masks that are pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sammed_volumes.color_labels import labels_of_colors
from sammed_volumes.errors import LabelError
from sammed_volumes.images import Slices, slices_in
from sammed_volumes.labels import Label
from sammed_volumes.mask_cleaning import cleaned
from sammed_volumes.pages import GRAY_MODES, read_pages
from sammed_volumes.volume import Volume

if TYPE_CHECKING:
    from PIL import Image

_JPEG_TINT = 16  # JPEG tints gray by less
_COLOR_MODES = ("P", "RGB", "RGBA", "CMYK", "YCbCr")
_TO_VALUES = {"1": "L", "LA": "L", "La": "L"}


@dataclass(frozen=True, slots=True, eq=False)
class PictureLabels:
    """A mask: a volume X Y Z of label values, the labels that its colors name, and its spacing if stated."""

    volume: Volume
    named: tuple[Label, ...]
    has_spacing: bool


def read_picture_labels(paths: Sequence[Path], *, colors: bool) -> PictureLabels:
    """Read the mask in one picture, or in the slices of a stack.

    A palette gives its indices; with `colors` each color is a label. Masks with smoothed borders, or in JPEG,
    are cleaned (see `cleaned`). Raises LabelError for colors without `colors`.
    """
    slices = slices_in([read_pages(path, _as_colors if colors else _as_values) for path in paths])
    named: tuple[Label, ...] = ()
    if colors and slices.pixels.ndim == 4:
        if slices.is_lossy:
            raise LabelError("it is a JPEG, whose compression changes colors; save the mask as PNG")
        values, named = labels_of_colors(slices.pixels)
        notes: tuple[str, ...] = ()
    else:
        values, notes = cleaned(_gray(slices), is_lossy=slices.is_lossy)
    slices = replace(slices, pixels=values, notes=(*slices.notes, *notes))
    volume = Volume(slices.to_volume_axes(values), slices.affine_ras_mm, notes=slices.notes)
    return PictureLabels(volume, named, slices.spacing_mm is not None)


def _as_values(image: Image.Image) -> Image.Image:
    if image.mode in (*GRAY_MODES, "P"):
        return image
    return image.convert(_TO_VALUES.get(image.mode, "RGB"))


def _as_colors(image: Image.Image) -> Image.Image:
    is_color = image.mode in _COLOR_MODES or "A" in image.mode
    return image.convert("RGBA") if is_color else _as_values(image)


def _gray(slices: Slices) -> np.ndarray:
    """Return the values of a gray mask, which may have been saved in color."""
    pixels = slices.pixels
    if pixels.ndim == 3:
        return pixels
    tint = int((pixels.max(axis=-1).astype(int) - pixels.min(axis=-1)).max())
    if tint > (_JPEG_TINT if slices.is_lossy else 0):
        raise LabelError(
            "it is a color picture, but labels are whole numbers; save it in gray values, or make each color "
            "a label with --colors"
        )
    return pixels[..., 1] if slices.is_lossy else pixels[..., 0]
