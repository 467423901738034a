"""Pages: the pixels of a PNG, JPEG or TIFF, read with Pillow, as a viewer shows them.

The EXIF orientation of a photograph is applied, so masks that were made in any viewer fit.
"""

from __future__ import annotations

import re
import struct
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sammed_volumes.deflate import MOST_PER_BYTE
from sammed_volumes.errors import UnreadableVolumeError, UnsupportedVolumeError, VolumeError

if TYPE_CHECKING:
    from PIL import Image

GRAY_MODES = ("L", "I;16", "I;16B", "I;16L", "I", "F")
"""Pillow's names of the modes that are kept as stored."""

_EXIF_ORIENTATION, _UPRIGHT = 0x0112, 1
_TIFF_DESCRIPTION, _TIFF_X_RESOLUTION, _TIFF_Y_RESOLUTION = 270, 282, 283
_LOSSY_FORMATS = ("JPEG", "MPO")
# What Pillow raised for 80,000 pictures that were cut or had bytes changed; anything else is a bug of ours.
_BROKEN = (OSError, EOFError, ValueError, SyntaxError, TypeError, KeyError, struct.error)
_MM_OF_UNIT = {"mm": 1.0, "cm": 10.0, "m": 1000.0, "inch": 25.4}
_MM_OF_UNIT |= dict.fromkeys(("micron", "um", "\u00b5m", "\u03bcm", "\\u00b5m"), 1e-3)


@dataclass(frozen=True, slots=True, eq=False)
class Pages:
    """The pages of one file: `pixels` is N rows columns, with an axis for 3 or 4 channels if in color.

    `is_lossy` is True for JPEG. `spacing_mm` is X, Y, Z as a TIFF states it, None if unknown.
    """

    pixels: np.ndarray
    is_lossy: bool
    spacing_mm: tuple[float, float, float] | None
    notes: tuple[str, ...]

    @property
    def is_color(self) -> bool:
        """Whether the pixels have channels."""
        return self.pixels.ndim == 4


def read_pages(path: Path, convert: Callable[[Image.Image], Image.Image]) -> Pages:
    """Read all pages of a file in the mode that `convert` gives each.

    Raises UnreadableVolumeError for a broken file, UnsupportedVolumeError for too many pixels, pages of
    different sizes or types, and several pages of anything but a TIFF.
    """
    with _opened(path) as image:
        count = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)  # MPO: a picture and previews
        if count > 1 and image.format != "TIFF":
            raise UnsupportedVolumeError(f"it has {count} pages; save one page, or the volume as .nii.gz")
        spacing_mm = _spacing_of(image, count)  # also of one page, which may state more
        pages, notes = [], dict[str, None]()
        for page in range(count):
            image.seek(page)
            pages.append(np.asarray(convert(_upright(image, notes))))
        if image.format == "TIFF" and image.tag_v2.next:  # Pillow takes a list that breaks off for its end
            raise UnreadableVolumeError("its list of pages is damaged; copy or save it again")
        is_lossy = image.format in _LOSSY_FORMATS or image.info.get("compression") == "jpeg"
    if len({(page.shape, page.dtype) for page in pages}) > 1:
        raise UnsupportedVolumeError(
            f"its {count} pages differ in size or type; save the slices of one volume, or .nii.gz"
        )
    if count == 1:
        return Pages(pages[0][None], is_lossy, None, tuple(notes))
    return Pages(np.stack(pages), is_lossy, spacing_mm, tuple(notes))


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about metadata that nothing here uses
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            # From a path, Pillow would map the pixels of a turned TIFF with rows and columns exchanged.
            with path.open("rb") as file:
                with Image.open(file) as image:
                    _check_png(image, path)
                with Image.open(file) as image:
                    yield image
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise UnsupportedVolumeError(
            "it has too many pixels for a picture; crop it or scale it down"
        ) from error
    except VolumeError:
        raise
    except _BROKEN as error:
        raise UnreadableVolumeError("it is not a complete picture; copy or export it again") from error


def _check_png(image: Image.Image, path: Path) -> None:
    """Check the checksums of a PNG, which Pillow passes over, and its size: missing pixels would be black."""
    if image.format != "PNG":
        return
    if image.width * image.height > 8 * MOST_PER_BYTE * path.stat().st_size:  # a pixel has a bit or more
        raise UnreadableVolumeError("its header states more pixels than it holds; copy or export it again")
    image.verify()


def _upright(image: Image.Image, notes: dict[str, None]) -> Image.Image:
    """Return the page as a viewer shows it; adds a note if that is not as stored."""
    from PIL import ImageOps

    image.load()
    if image.format == "TIFF":  # loading has applied it, and only then is the size right
        return image
    orientation = image.getexif().get(_EXIF_ORIENTATION, _UPRIGHT)
    turned = ImageOps.exif_transpose(image)
    if orientation == _UPRIGHT or turned is None:
        return image
    notes[f"its EXIF orientation {orientation} is applied, so it lies as viewers show it"] = None
    return turned


def _spacing_of(image: Image.Image, count: int) -> tuple[float, float, float] | None:
    """Return X, Y, Z in mm as ImageJ or OME state them in a TIFF; dots per inch say nothing of a patient."""
    tags = getattr(image, "tag_v2", {})
    text = str(tags.get(_TIFF_DESCRIPTION, ""))
    if text.startswith("ImageJ="):
        return _imagej_spacing(text, tags, count)
    if "<OME" in text:
        return _ome_spacing(text)
    return None


def _imagej_spacing(text: str, tags: Any, count: int) -> tuple[float, float, float] | None:
    fields = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    stated = int(fields.get("images", count))
    if stated != count:
        raise UnreadableVolumeError(f"it states {stated} pages but has {count}; save it again")
    for name in ("channels", "frames"):
        if int(fields.get(name, 1)) > 1:
            raise UnsupportedVolumeError(f"it has {fields[name]} {name}; save a single one as a volume")
    unit_mm = _MM_OF_UNIT.get(fields.get("unit", ""))
    resolutions = [float(tags.get(tag, 0)) for tag in (_TIFF_X_RESOLUTION, _TIFF_Y_RESOLUTION)]
    spacing = float(fields.get("spacing", 0))
    if unit_mm is None or min(*resolutions, spacing) <= 0:
        return None
    x, y = (unit_mm / resolution for resolution in resolutions)
    return x, y, spacing * unit_mm


def _ome_spacing(text: str) -> tuple[float, float, float] | None:
    for name in ("SizeC", "SizeT"):
        found = re.search(rf'\b{name}="(\d+)"', text)
        if found and int(found[1]) > 1:
            raise UnsupportedVolumeError(f"its {name} is {found[1]}; save a single one as a volume")
    lengths = []
    for axis in "XYZ":
        size = re.search(rf'PhysicalSize{axis}="([0-9.eE+-]+)"', text)
        unit = re.search(rf'PhysicalSize{axis}Unit="([^"]+)"', text)
        unit_mm = _MM_OF_UNIT.get(unit[1] if unit else "um")
        if size is None or unit_mm is None:
            return None
        lengths.append(float(size[1]) * unit_mm)
    x, y, z = lengths
    return (x, y, z) if min(lengths) > 0 else None
