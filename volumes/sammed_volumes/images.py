"""Pictures: PNG, JPEG and TIFF as volumes of one slice, through Pillow.

A picture has no place in a patient. It gets the affine with which the canonical pose leaves its rows and
columns as they are stored: 1 mm pixels, columns to the patient's left, rows to posterior. A camera's remark
that a JPEG be turned is not followed, as its mask has none; the orientation that is part of a TIFF is.
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

_GRAY_MODES = ("L", "I;16", "I;16B", "I;16L", "I", "F")  # Pillow's names for what is kept as stored
_AFFINE_RAS_MM = swap_ras_lps(np.eye(4))
_TO_GRAY = {"1": "L", "LA": "L", "La": "L"}


def read_picture(path: Path, *, keep_indices: bool = False) -> Volume:
    """Read one slice, X Y 1 for gray and X Y 1 3 for color; transparency is left out.

    `keep_indices` gives a picture with a palette as its indices, which is what labels are drawn with.
    """
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # remarks on metadata that nothing here uses
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                pages = getattr(image, "n_frames", 1)
                pixels = np.asarray(_as_gray_or_color(image, keep_indices))
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise UnsupportedVolumeError(
            "it has more pixels than any picture should; crop it or scale it down"
        ) from error
    # Pillow meets broken files with a SyntaxError, too.
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise UnreadableVolumeError("it is no whole picture; copy or export it again") from error
    if pages > 1:
        raise UnsupportedVolumeError(f"it holds {pages} pages; save one page, or the volume as .nii.gz")
    voxels = np.swapaxes(pixels, 0, 1)[:, :, np.newaxis]  # rows columns [C] -> X Y 1 [C]
    return Volume(voxels, _AFFINE_RAS_MM.copy(), path=path)


def write_picture(voxels: np.ndarray, path: Path) -> None:
    """Write label values X Y 1, unsigned and of 8 or 16 bits, as a gray picture without loss."""
    from PIL import Image

    Image.fromarray(np.ascontiguousarray(voxels[:, :, 0].T)).save(path)


def is_of_a_picture(affine_ras_mm: np.ndarray) -> bool:
    """Whether a grid is the one that `read_picture` gives, since a picture can hold no other."""
    return bool(np.array_equal(affine_ras_mm, _AFFINE_RAS_MM))


def _as_gray_or_color(image: Image.Image, keep_indices: bool) -> Image.Image:
    if image.mode in _GRAY_MODES or (image.mode == "P" and keep_indices):
        return image
    return image.convert(_TO_GRAY.get(image.mode, "RGB"))
