"""Transfer syntaxes: every one that can be written here is read; docs/formats.md has this list."""

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import (
    JPEG2000,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from sammed_volumes.dicom import pixels
from sammed_volumes.dicom.pixels import READ_SYNTAXES
from sammed_volumes.errors import UnsupportedVolumeError
from sammed_volumes.formats import read_volume
from tests.volumes.dicom.conftest import Make, Save

DOCS = Path(__file__).parents[3] / "docs" / "formats.md"
LOSSLESS = (
    ImplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
    RLELossless,
    JPEGLSLossless,
    JPEG2000Lossless,
)
LOSSY = (JPEGBaseline8Bit, JPEGLSNearLossless, JPEG2000)
_BY_PILLOW: dict[str, dict[str, Any]] = {
    JPEGBaseline8Bit: {"format": "JPEG", "quality": 95},
    JPEG2000: {"format": "JPEG2000", "no_jp2": True, "irreversible": True, "quality_layers": [4]},
    JPEG2000Lossless: {"format": "JPEG2000", "no_jp2": True},
}
# A smooth picture, as lossy compression is made for; values stay below 256 for the sake of JPEG.
SMOOTH = np.add.outer(np.arange(33) * 3, np.arange(31) * 4).astype(np.uint8)


def encoded(made: pydicom.Dataset, pixels: np.ndarray, syntax: UID) -> None:
    """Change an image to a transfer syntax; pydicom has no JPEG, nor JPEG 2000 without another package."""
    if syntax in _BY_PILLOW:
        stream = BytesIO()
        Image.fromarray(pixels).save(stream, **_BY_PILLOW[syntax])
        made.PixelData = encapsulate([stream.getvalue()])
        made["PixelData"].VR = "OB"
        made.file_meta.TransferSyntaxUID = syntax
    elif syntax == JPEGLSNearLossless:
        made.compress(syntax, jls_error=2)
    elif syntax in (RLELossless, JPEGLSLossless):
        made.compress(syntax)
    else:
        made.file_meta.TransferSyntaxUID = syntax
        if syntax == ExplicitVRBigEndian:
            made.PixelData = pixels.astype(pixels.dtype.newbyteorder(">")).tobytes()


def saved(folder: Path, make_image: Make, save_dicom: Save, pixels: np.ndarray, syntax: UID) -> None:
    path = save_dicom(
        make_image(
            pixels,
            ImagePositionPatient=[0, 0, 0],
            ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
            PixelSpacing=[0.6, 0.5],
        ),
        folder / "1.dcm",
    )
    made = pydicom.dcmread(path)
    encoded(made, pixels, syntax)
    is_little = syntax != ExplicitVRBigEndian
    pydicom.dcmwrite(
        path,
        made,
        implicit_vr=syntax == ImplicitVRLittleEndian,
        little_endian=is_little,
        enforce_file_format=True,
    )


@pytest.mark.parametrize("syntax", LOSSLESS, ids=lambda uid: uid.name)
@pytest.mark.parametrize("size", [(33, 31), (32, 30)])
def test_lossless_syntaxes_are_read_bit_for_bit(
    tmp_path: Path, make_image: Make, save_dicom: Save, syntax: UID, size: tuple[int, int]
) -> None:
    pixels = np.random.default_rng(3).integers(0, 4000, size).astype(np.uint16)
    saved(tmp_path, make_image, save_dicom, pixels, syntax)
    np.testing.assert_array_equal(read_volume(tmp_path).voxels[:, :, 0], pixels.T.astype(int) - 1024)


@pytest.mark.parametrize("syntax", LOSSY, ids=lambda uid: uid.name)
def test_lossy_syntaxes_are_read_as_far_as_they_keep_values(
    tmp_path: Path, make_image: Make, save_dicom: Save, syntax: UID
) -> None:
    saved(tmp_path, make_image, save_dicom, SMOOTH, syntax)
    off = read_volume(tmp_path).voxels[:, :, 0] - (SMOOTH.T.astype(int) - 1024)
    assert np.abs(off).max() <= 4


def test_a_deflated_file_is_not_left_to_gdcm(
    tmp_path: Path, make_image: Make, save_dicom: Save, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No one has checked the lengths in it, and GDCM allocates what a damaged one claims, such as 2 GB."""
    monkeypatch.delattr(pixels, "_by_itk")
    saved(tmp_path, make_image, save_dicom, SMOOTH, DeflatedExplicitVRLittleEndian)
    np.testing.assert_array_equal(read_volume(tmp_path).voxels[:, :, 0], SMOOTH.T.astype(int) - 1024)


def test_a_syntax_that_is_not_read_is_named(tmp_path: Path, make_image: Make, save_dicom: Save) -> None:
    saved(tmp_path, make_image, save_dicom, SMOOTH, JPEGLSLossless)
    made = pydicom.dcmread(tmp_path / "1.dcm")
    made.file_meta.TransferSyntaxUID = HTJ2KLossless
    made.save_as(tmp_path / "1.dcm")
    with pytest.raises(UnsupportedVolumeError, match=r"1.dcm is compressed as .*High.*, which is not read"):
        read_volume(tmp_path)


def test_the_documentation_lists_what_is_read() -> None:
    text = DOCS.read_text(encoding="utf-8")
    for uid, name in READ_SYNTAXES.items():
        (row,) = [line for line in text.splitlines() if line.endswith(f"| `{uid}` |")]
        is_tested = uid in (*LOSSLESS, *LOSSY)
        assert row.startswith(f"| {name} | {'tested' if is_tested else 'by the library'} |"), row
