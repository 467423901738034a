"""Pixels: the real values of frames, single slices by ITK, those of multi-frame files one by one."""

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sammed_volumes.dicom.frame import DicomFrame
from sammed_volumes.dicom.headers import damage_named, damaged, start_of
from sammed_volumes.dicom.stack import Stack
from sammed_volumes.errors import UnsupportedVolumeError, VolumeError

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_RLE, _DEFLATED = "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.1.99"
_CT_CLASS = "1.2.840.10008.5.1.4.1.1.2"
_PIXEL_KEYWORDS = (
    *("Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"),
    *("SamplesPerPixel", "PhotometricInterpretation"),
)

READ_SYNTAXES = {
    "1.2.840.10008.1.2": "Implicit VR Little Endian",
    "1.2.840.10008.1.2.1": "Explicit VR Little Endian",
    "1.2.840.10008.1.2.1.99": "Deflated Explicit VR Little Endian",
    "1.2.840.10008.1.2.2": "Explicit VR Big Endian",
    "1.2.840.10008.1.2.4.50": "JPEG Baseline",
    "1.2.840.10008.1.2.4.51": "JPEG Extended, 12 bits",
    "1.2.840.10008.1.2.4.57": "JPEG Lossless",
    "1.2.840.10008.1.2.4.70": "JPEG Lossless, first-order prediction",
    "1.2.840.10008.1.2.4.80": "JPEG-LS Lossless",
    "1.2.840.10008.1.2.4.81": "JPEG-LS Near-Lossless",
    "1.2.840.10008.1.2.4.90": "JPEG 2000 Lossless",
    "1.2.840.10008.1.2.4.91": "JPEG 2000",
    "1.2.840.10008.1.2.5": "RLE Lossless",
}
"""Transfer syntaxes that are read, and their names."""


class PageReader:
    """Reads pages: the real values of frames, X Y. A multi-frame file is opened once and kept."""

    def __init__(self) -> None:
        self._files: dict[Path, Dataset] = {}

    def voxels(self, stack: Stack) -> np.ndarray:
        """Voxels X Y Z, the first index fastest: 16-bit integers where all fit, else wider, else float32.

        Missing slices hold the lowest value of the others.
        """
        pages = [None if each is None else self.page(each) for each in stack.slots]
        self._files.clear()
        known = [page for page in pages if page is not None]
        background = min(page.min() for page in known)
        dtype = np.result_type(*{page.dtype for page in known})
        voxels = np.empty((*known[0].shape, len(pages)), dtype=dtype, order="F")
        known.clear()
        for k in reversed(range(len(pages))):
            page = pages.pop()  # a page's memory is free as soon as it is in its place
            voxels[:, :, k] = background if page is None else page
        return voxels

    def page(self, frame: DicomFrame) -> np.ndarray:
        """The real values of one frame; UnreadableVolumeError where its file is damaged."""
        if not (frame.is_of_many or _is_pydicoms(frame)):
            return _narrowed(_by_itk(frame.path, frame.path))
        if frame.path not in self._files:
            self._files[frame.path] = _open_many(frame.path)
        return _narrowed(_rescaled(_frame_of_many(self._files[frame.path], frame), frame))

    def digest(self, frame: DicomFrame) -> tuple[str, bytes]:
        """What is equal for two frames with equal values."""
        page = self.page(frame)
        return page.dtype.str, hashlib.sha256(page.tobytes()).digest()


@contextmanager
def quiet_itk() -> Iterator[None]:
    """Keep ITK's warnings from the user's terminal while a series is read."""
    sitk = _simpleitk()
    shown = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(shown)


def _by_itk(file: Path, named: Path) -> np.ndarray:
    """The values of a file with one frame, X Y; `named` is the file that an error names."""
    sitk = _simpleitk()
    try:
        image = sitk.ReadImage(str(file), imageIO="GDCMImageIO")
    except RuntimeError:
        raise _refused(named) from None
    page: np.ndarray = sitk.GetArrayFromImage(image).squeeze(axis=0).T  # 1 rows columns -> X Y
    return page


def _refused(path: Path) -> VolumeError:
    """The error for pixels that no library reads: an unknown compression, or damage."""
    from pydicom import dcmread

    try:
        syntax = dcmread(path, stop_before_pixels=True).file_meta.TransferSyntaxUID
    except Exception:  # pydicom raises whatever damaged bytes lead to
        return damaged(path)
    if syntax in READ_SYNTAXES:
        return damaged(path)
    return UnsupportedVolumeError(
        f"its file {path.name} is compressed as {syntax.name}, which is not read; export it uncompressed"
    )


def _is_pydicoms(frame: DicomFrame) -> bool:
    """Whether to leave a frame to pydicom: GDCM can't unpack RLE of an odd number of pixels.

    In a deflated file it allocates whatever a damaged length claims, which nothing has checked before.
    """
    start = start_of(frame.path)
    is_odd = frame.shape[0] * frame.shape[1] % 2 == 1
    return _states(start, _DEFLATED) or (is_odd and _states(start, _RLE))


def _states(start: bytes, syntax: str) -> bool:
    """Whether the first bytes of a file state a transfer syntax, in an element of even length."""
    value = syntax.encode() + b"\0" * (len(syntax) % 2)
    return b"\x02\x00\x10\x00UI" + len(value).to_bytes(2, "little") + value in start


def _open_many(path: Path) -> "Dataset":
    from pydicom import dcmread

    with damage_named(path):
        return dcmread(path)


def _frame_of_many(file: "Dataset", frame: DicomFrame) -> np.ndarray:
    """The stored values of one frame of a multi-frame file, X Y.

    GDCM would apply the rescaling of the first frame to all. So pydicom cuts the frame out: a plain one is
    an array already, as is one that pydicom itself unpacks; others go to ITK as files of their own.
    """
    from pydicom.pixels.utils import pixel_array

    with damage_named(frame.path):
        syntax = file.file_meta.TransferSyntaxUID
        if _is_pydicoms(frame) or not syntax.is_encapsulated:
            page: np.ndarray = pixel_array(file, index=frame.index, raw=True)
            return page.T
        with tempfile.TemporaryDirectory(prefix="sammed-") as folder:
            return _by_itk(_cut_out(file, frame.index, Path(folder)), frame.path)


def _cut_out(file: "Dataset", index: int, folder: Path) -> Path:
    """A file with one compressed frame, as it is in the multi-frame file."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.encaps import encapsulate, get_frame
    from pydicom.uid import UID

    one = Dataset()
    for keyword in _PIXEL_KEYWORDS:
        setattr(one, keyword, file[keyword].value)
    one.SOPClassUID, one.SOPInstanceUID = UID(_CT_CLASS), UID("1.2.3")
    one.PixelData = encapsulate([get_frame(file.PixelData, index, number_of_frames=int(file.NumberOfFrames))])
    one.file_meta = FileMetaDataset()
    one.file_meta.TransferSyntaxUID = file.file_meta.TransferSyntaxUID
    one.file_meta.MediaStorageSOPClassUID = one.SOPClassUID
    one.file_meta.MediaStorageSOPInstanceUID = one.SOPInstanceUID
    path = folder / "frame.dcm"
    one.save_as(path, enforce_file_format=True)
    return path


def _rescaled(stored: np.ndarray, frame: DicomFrame) -> np.ndarray:
    slope, intercept = frame.slope, frame.intercept
    if not (float(slope).is_integer() and float(intercept).is_integer()):
        return stored * slope + intercept
    page = stored.astype(np.int64) * int(slope) + int(intercept)
    limits = np.iinfo(np.int32)
    return page.astype(np.int32) if limits.min <= page.min() and page.max() <= limits.max else page


def _narrowed(page: np.ndarray) -> np.ndarray:
    """The real values in 16-bit integers where they fit; GDCM takes 32 bits when it might need them."""
    if page.dtype.kind == "f":
        return page.astype(np.float32)
    limits = np.iinfo(np.int16)
    return page.astype(np.int16) if limits.min <= page.min() and page.max() <= limits.max else page


def _simpleitk() -> Any:
    """SimpleITK, imported when a series is read: it takes a while."""
    import SimpleITK

    return SimpleITK
