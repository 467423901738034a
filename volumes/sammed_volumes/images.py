"""Pictures: PNG, JPEG and TIFF as volumes of one slice, and stacks of them.

A picture has no position in a patient. It gets the affine for which the canonical pose keeps its rows and
columns as stored: columns to the patient's left, rows to posterior, and the slices of a stack to superior.
Pixels are 1 mm unless a TIFF of several pages, or the caller, states the spacing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sammed_volumes.affine import spacing_mm as spacing_of
from sammed_volumes.affine import swap_ras_lps
from sammed_volumes.errors import UnsupportedVolumeError
from sammed_volumes.pages import GRAY_MODES, Pages, read_pages
from sammed_volumes.volume import Volume

if TYPE_CHECKING:
    from PIL import Image

Spacing = tuple[float, float, float]

_AFFINE_RAS_MM = swap_ras_lps(np.eye(4))
_TO_GRAY = {"1": "L", "LA": "L", "La": "L"}
NO_SPACING = "it states no spacing, so 1 x 1 x 1 mm is assumed; --spacing X,Y,Z states another"
"""A note about a stack of pictures."""


@dataclass(frozen=True, slots=True, eq=False)
class Slices:
    """The slices of one picture or a stack of them, in order; `pixels` is as in `Pages`."""

    pixels: np.ndarray
    is_lossy: bool
    spacing_mm: Spacing | None
    notes: tuple[str, ...]

    @property
    def affine_ras_mm(self) -> np.ndarray:
        """The affine of a picture with this spacing, 1 mm if unknown."""
        return picture_affine(self.spacing_mm or (1.0, 1.0, 1.0))

    def to_volume_axes(self, stack: np.ndarray) -> np.ndarray:
        """Return an array S rows columns [C] as X Y Z [C]."""
        return np.moveaxis(stack, (0, 1, 2), (2, 1, 0))


def read_picture(path: Path) -> Volume:
    """Read a picture: X Y Z for gray and X Y 1 3 for color; ignores transparency."""
    return volume_of(slices_in([read_pages(path, _as_gray_or_color)]), path)


def read_stack(paths: Sequence[Path], folder: Path) -> Volume:
    """Read the slices of a folder, one a file, as one volume X Y Z."""
    return volume_of(slices_in([read_pages(path, _as_gray_or_color) for path in paths]), folder)


def volume_of(slices: Slices, path: Path) -> Volume:
    """Return the volume of these slices; raises UnsupportedVolumeError for several in color."""
    pixels, notes = slices.pixels, slices.notes
    if len(pixels) > 1:
        pixels = _gray(pixels)
        notes = notes if slices.spacing_mm else (*notes, NO_SPACING)
    return Volume(
        slices.to_volume_axes(pixels), slices.affine_ras_mm, path=path, notes=notes, is_placed=False
    )


def slices_in(files: Sequence[Pages]) -> Slices:
    """Join the pages of files of one size and type; raises UnsupportedVolumeError for others."""
    if len({(each.pixels.shape[1:], each.pixels.dtype) for each in files}) > 1:
        raise UnsupportedVolumeError("its slices differ in size or type; save those of one volume alike")
    notes = dict.fromkeys(note for each in files for note in each.notes)
    pixels = np.concatenate([each.pixels for each in files]) if len(files) > 1 else files[0].pixels
    spacing_mm = files[0].spacing_mm if len(files) == 1 else None
    return Slices(pixels, any(each.is_lossy for each in files), spacing_mm, tuple(notes))


def write_picture(voxels: np.ndarray, path: Path) -> None:
    """Write label values X Y 1, unsigned with 8 or 16 bits, as a lossless gray picture."""
    from PIL import Image

    Image.fromarray(np.ascontiguousarray(voxels[:, :, 0].T)).save(path)


def picture_affine(spacing_mm: Spacing) -> np.ndarray:
    """Return the affine of pictures with a spacing X, Y, Z."""
    affine_ras_mm: np.ndarray = _AFFINE_RAS_MM * (*spacing_mm, 1.0)
    return affine_ras_mm


def is_of_a_picture(affine_ras_mm: np.ndarray) -> bool:
    """Whether an affine is the one that `read_picture` returns; a picture can't store another."""
    return bool(np.array_equal(affine_ras_mm, _AFFINE_RAS_MM))


def is_of_pictures(affine_ras_mm: np.ndarray) -> bool:
    """Whether an affine is that of pictures with any spacing."""
    return bool(np.array_equal(affine_ras_mm, picture_affine(spacing_of(affine_ras_mm))))


def _as_gray_or_color(image: Image.Image) -> Image.Image:
    return image if image.mode in GRAY_MODES else image.convert(_TO_GRAY.get(image.mode, "RGB"))


def _gray(pixels: np.ndarray) -> np.ndarray:
    if pixels.ndim == 3:
        return pixels
    if not (pixels == pixels[..., :1]).all():
        raise UnsupportedVolumeError("its slices are in color; save them in gray values")
    return np.ascontiguousarray(pixels[..., 0])
