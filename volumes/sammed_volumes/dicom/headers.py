"""Headers: the part of a DICOM file before its pixels, read with pydicom."""

import logging
import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from sammed_volumes.dicom.pixel_data import fits_file, needed_bytes
from sammed_volumes.errors import UnreadableVolumeError, VolumeError

if TYPE_CHECKING:
    from pydicom.dataset import FileDataset

SEGMENTATION_CLASSES = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
"""Storage classes of a segmentation: one bit or a fraction per segment, and a label map."""

CONTOURS_CLASS = "1.2.840.10008.5.1.4.1.1.481.3"
"""Storage class of the contours that radiotherapy uses (RTSTRUCT)."""

DICOM_SUFFIXES = (".dcm", ".ima")

# Storage classes that are no images and may lie in the folder of one: presentation states, waveforms,
# registrations, segmentations, structured reports, documents, plans and contours of radiotherapy; and the
# directory of a CD.
_NO_IMAGE = r"1\.2\.840\.10008\.(5\.1\.4\.1\.1\.(11|9|66|88|104|481\.[3-9])(\.\d+)*|1\.3\.10)"
_NO_IMAGE_UID = re.compile(_NO_IMAGE)
_NO_IMAGE_BYTES = re.compile(_NO_IMAGE.encode() + rb"\x00")
_START_BYTES = 1024
_PIXELS_GROUP = 0x7FE0
_FIRST_GROUPS = (b"\x02\0", b"\x08\0")
_BLANK_KINDS = ("  ", "\0\0", "??")  # what some scanners write for private elements

# What is read of a header: all else, such as private fields, is skipped unparsed.
_KEYWORDS = (
    *("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"),
    *("SeriesNumber", "SeriesDescription", "Modality", "ImageType", "InstanceNumber"),
    *("Rows", "Columns", "SamplesPerPixel", "NumberOfFrames", "BitsAllocated", "PhotometricInterpretation"),
    *("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "ImagerPixelSpacing"),
    *("SliceThickness", "SpacingBetweenSlices", "RescaleSlope", "RescaleIntercept"),
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
    *("EchoNumbers", "EchoTime", "DiffusionBValue", "DiffusionGradientOrientation", "InversionTime"),
    *("TemporalPositionIdentifier", "NominalPercentageOfCardiacPhase", "ConvolutionKernel"),
    *("AcquisitionNumber", "TriggerTime", "AcquisitionTime", "ContentTime"),
)


def files_in(folder: Path) -> Iterator[Path]:
    """The files that lie in a folder, by name; hidden ones are left out."""
    for path in sorted(folder.iterdir()):
        if path.is_file() and not path.name.startswith("."):
            yield path


def may_be_dicom(path: Path) -> bool:
    """Whether a file may be DICOM, by its suffix or first bytes: cheap, since most files are not."""
    return path.suffix.lower() in DICOM_SUFFIXES or is_marked(start_of(path))


def start_of(path: Path) -> bytes:
    """The first bytes of a file."""
    with path.open("rb") as file:
        return file.read(_START_BYTES)


def is_marked(start: bytes) -> bool:
    """Whether a file starts as the standard demands."""
    return start[128:132] == b"DICM"


def is_image_class(uid: str) -> bool:
    """Whether a storage class holds images rather than reports, plans or segmentations of them."""
    return not _NO_IMAGE_UID.fullmatch(uid)


def read_header(path: Path) -> "FileDataset | None":
    """The header of a DICOM file, None for another file and for one that is not an image nor about one.

    Raises UnreadableVolumeError for a file that is cut short, or whose header is damaged.
    """
    start = start_of(path)
    # Before 1993, and from some scanners since, a file starts with its first element.
    if not (is_marked(start) or start[:2] in _FIRST_GROUPS):
        return None
    with path.open("rb") as file:
        header, is_whole = _parse(file)
    if header is not None and not is_image_class(text_of(header, "SOPClassUID")):
        return header
    # GDCM takes what follows another first group for a length, and allocates that much.
    if header is None or not is_whole or (is_marked(start) and start[132:134] not in _FIRST_GROUPS):
        if is_marked(start) and not _NO_IMAGE_BYTES.search(start):
            raise damaged(path)
        return None
    return header


def damaged(path: Path) -> UnreadableVolumeError:
    """The error for one file of a series that can't be read."""
    return UnreadableVolumeError(f"its file {path.name} is cut short or damaged; copy it again")


def text_of(header: Any, keyword: str) -> str:
    """The value of an element as text, parts joined by a backslash; "" where it is missing or empty."""
    try:
        value = header.get(keyword)
        parts = [value] if isinstance(value, str) or not hasattr(value, "__iter__") else list(value)
        return "" if value is None else "\\".join(map(str, parts)).strip("\0 ")
    except Exception:  # an element is parsed here, and pydicom raises whatever damaged bytes lead to
        return ""


def items_of(header: Any, keyword: str) -> list[Any]:
    """The items of a sequence; none where it is missing or damaged."""
    try:
        return list(header.get(keyword) or [])
    except Exception:  # as in `text_of`
        return []


def numbers_of(header: Any, keyword: str, count: int) -> tuple[float, ...] | None:
    """The value of an element as `count` numbers, None where it is missing or something else."""
    try:
        found = tuple(float(part) for part in text_of(header, keyword).split("\\"))
    except ValueError:
        return None
    return found if len(found) == count else None


def number_of(header: Any, keyword: str, default: float) -> float:
    """The value of an element as a number."""
    found = numbers_of(header, keyword, 1)
    return default if found is None else found[0]


class _Quiet:
    """Hides warnings while any thread is in the block: the first one in hides, the last one out restores.

    Filters and levels belong to the process, so threads that each restored what they found would leave them
    hidden for good.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._restore = ExitStack()

    def enter(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside > 1:
                return
            self._restore.enter_context(warnings.catch_warnings())
            warnings.simplefilter("ignore")
            self._restore.callback(logging.disable, logging.root.manager.disable)
            logging.disable(logging.WARNING)

    def leave(self) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._restore.close()


_QUIET = _Quiet()


@contextmanager
def quiet_pydicom() -> Iterator[None]:
    """Keep pydicom's and highdicom's warnings about sloppy headers from the user's terminal."""
    _QUIET.enter()
    try:
        yield
    finally:
        _QUIET.leave()


@contextmanager
def damage_named(path: Path) -> Iterator[None]:
    """Quiet pydicom, and turn whatever it raises on damaged bytes into the error that names the file."""
    with quiet_pydicom():
        try:
            yield
        except VolumeError:
            raise
        except Exception as error:  # anything from struct.error to RecursionError
            if isinstance(error, OSError) and error.errno is not None:  # the system's, not pydicom's
                raise
            raise damaged(path) from None


def _parse(file: BinaryIO) -> "tuple[FileDataset | None, bool]":
    """The header, and whether it goes on to pixels that are all there."""
    from pydicom.datadict import tag_for_keyword
    from pydicom.filereader import read_partial
    from pydicom.valuerep import VR

    found: list[tuple[int, int]] = []  # where the pixels start, and how long they claim to be

    kinds: set[str | None] = set()  # value representations, as the file names them

    def stop(tag: Any, kind: str | None, length: int) -> bool:
        if tag.group < _PIXELS_GROUP:
            kinds.update([] if tag.is_private and kind in _BLANK_KINDS else [kind])
            return False
        found.append((file.tell(), length))
        return True

    tags = [tag for keyword in _KEYWORDS if (tag := tag_for_keyword(keyword)) is not None]
    try:
        header = read_partial(file, stop_when=stop, force=True, specific_tags=list(tags))
        syntax = text_of(header.file_meta, "TransferSyntaxUID")
        kinds.update(element.VR for element in header.file_meta.values())
    except Exception:  # pydicom raises whatever damaged bytes lead to, from struct.error to RecursionError
        return None, False
    # GDCM reads lengths of unknown kinds differently from pydicom, and allocates whatever they claim.
    if not (found and kinds - {None} <= set(VR)):
        return header, False
    needed = needed_bytes(header, number_of)
    return header, needed > 0 and fits_file(file, syntax, *found[0], needed)
