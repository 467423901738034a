"""Pictures: PNG, JPEG and TIFF as volumes of one slice, read with Pillow.

A picture has no position in a patient. It gets the affine for which the canonical pose keeps its rows and
columns as stored: 1 mm pixels, columns to the patient's left, rows to posterior. The rotation flag of a JPEG
from a camera is ignored, since its mask has none; the orientation of a TIFF is applied.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sammed_volumes.affine import swap_ras_lps
from sammed_volumes.errors import UnreadableVolumeError, UnsupportedVolumeError
from sammed_volumes.volume import Volume

if TYPE_CHECKING:
    from PIL import Image

_GRAY_MODES = ("L", "I;16", "I;16B", "I;16L", "I", "F")  # Pillow's names of the modes kept as stored
_AFFINE_RAS_MM = swap_ras_lps(np.eye(4))
_TO_GRAY = {"1": "L", "LA": "L", "La": "L"}


def read_picture(path: Path, *, keep_indices: bool = False) -> Volume:
    """Read one slice, X Y 1 for gray and X Y 1 3 for color; ignores transparency.

    With `keep_indices` a picture with a palette gives its indices, which are the values of labels.
    """
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about metadata that nothing here uses
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                pages = getattr(image, "n_frames", 1)
                pixels = np.asarray(_as_gray_or_color(image, keep_indices))
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise UnsupportedVolumeError(
            "it has too many pixels for a picture; crop it or scale it down"
        ) from error
    # Pillow raises SyntaxError for broken files, too.
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise UnreadableVolumeError("it is not a complete picture; copy or export it again") from error
    if pages > 1:
        raise UnsupportedVolumeError(f"it has {pages} pages; save one page, or the volume as .nii.gz")
    voxels = np.swapaxes(pixels, 0, 1)[:, :, np.newaxis]  # rows columns [C] -> X Y 1 [C]
    return Volume(voxels, _AFFINE_RAS_MM.copy(), path=path)


def write_picture(voxels: np.ndarray, path: Path) -> None:
    """Write label values X Y 1, unsigned with 8 or 16 bits, as a lossless gray picture."""
    from PIL import Image

    Image.fromarray(np.ascontiguousarray(voxels[:, :, 0].T)).save(path)


def is_of_a_picture(affine_ras_mm: np.ndarray) -> bool:
    """Whether an affine is the one that `read_picture` returns; a picture can't store another."""
    return bool(np.array_equal(affine_ras_mm, _AFFINE_RAS_MM))


def _as_gray_or_color(image: Image.Image, keep_indices: bool) -> Image.Image:
    if image.mode in _GRAY_MODES or (image.mode == "P" and keep_indices):
        return image
    return image.convert(_TO_GRAY.get(image.mode, "RGB"))
