"""Content: what a file is by its first bytes, whatever its suffix states."""

import gzip
import struct
import zlib
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from sammed_volumes.suffixes import NRRD_SUFFIXES, suffix_of

_READ_BYTES = 1024
_MOST_GZIP_LAYERS = 3
_GZIP = b"\x1f\x8b"

# Kind, offset of the first byte, bytes.
_MAGIC = (
    ("PNG", 0, b"\x89PNG\r\n\x1a\n"),
    ("JPEG", 0, b"\xff\xd8\xff"),
    ("TIFF", 0, b"II*\x00"),
    ("TIFF", 0, b"MM\x00*"),
    ("TIFF", 0, b"II+\x00"),
    ("TIFF", 0, b"MM\x00+"),
    ("NRRD", 0, b"NRRD"),
    ("DICOM", 128, b"DICM"),
    ("HDF5", 0, b"\x89HDF\r\n\x1a\n"),
    ("NetCDF", 0, b"CDF\x01"),
    ("zip", 0, b"PK\x03\x04"),
    ("GIF", 0, b"GIF8"),
    ("PDF", 0, b"%PDF"),
    ("NumPy", 0, b"\x93NUMPY"),
    ("pickle", 0, b"\x80\x02"),
    ("pickle", 0, b"\x80\x03"),
    ("pickle", 0, b"\x80\x04"),
    ("pickle", 0, b"\x80\x05"),
    ("bzip2", 0, b"BZh"),
    ("xz", 0, b"\xfd7zXZ\x00"),
)
_NAMES = {
    "NIfTI": "a NIfTI file",
    "NIfTI header": "the header of a NIfTI pair",
    "Analyze": "an Analyze header",
    "NRRD": "an NRRD file",
    "MetaImage": "a MetaImage file",
    "PNG": "a PNG picture",
    "JPEG": "a JPEG picture",
    "TIFF": "a TIFF picture",
    "DICOM": "a DICOM file",
    "HDF5": "an HDF5 file, such as MINC 2",
    "NetCDF": "a NetCDF file, such as MINC 1",
    "zip": "a zip archive",
    "GIF": "a GIF picture",
    "PDF": "a PDF document",
    "NumPy": "a NumPy array",
    "pickle": "a Python pickle",
    "bzip2": "a file compressed with bzip2",
    "xz": "a file compressed with xz",
    "HTML": "a web page",
    "text": "text",
}
_WHOLE = ("NRRD", "MetaImage", "PNG", "JPEG", "TIFF")
_REMEDIES = {
    "NIfTI header": "rename it to .hdr and put it beside its .img",
    "Analyze": "rename it to .hdr and put it beside its .img",
    "DICOM": "use its folder, or rename it to .dcm",
    "zip": "unpack it",
    "bzip2": "unpack it",
    "xz": "unpack it",
    "HTML": "download the file itself",
    "text": "copy or export it again",
}
_KINDS_OF_SUFFIX = {
    ".nii.gz": ("NIfTI", "NIfTI header"),
    ".nii": ("NIfTI", "NIfTI header"),
    ".hdr": ("NIfTI header", "Analyze"),
    **dict.fromkeys(NRRD_SUFFIXES, ("NRRD", "text")),
    ".mha": ("MetaImage", "text"),
    ".mhd": ("MetaImage", "text"),
    ".png": ("PNG",),
    ".jpg": ("JPEG",),
    ".jpeg": ("JPEG",),
    ".tif": ("TIFF",),
    ".tiff": ("TIFF",),
}


@dataclass(frozen=True, slots=True)
class Content:
    """The kind of a file, "" if unknown, and how many times gzip compressed it."""

    kind: str
    gzip_layers: int = 0

    def is_of(self, suffix: str) -> bool:
        """Whether a file with this suffix should have this content."""
        return self.kind in _KINDS_OF_SUFFIX[suffix] and self.gzip_layers == (suffix == ".nii.gz")

    def __str__(self) -> str:
        name = _NAMES.get(self.kind, "a file of an unknown kind")
        times = {0: "", 1: " compressed with gzip", 2: " compressed with gzip twice"}
        return name + times.get(self.gzip_layers, f" compressed with gzip {self.gzip_layers} times")

    @property
    def is_whole(self) -> bool:
        """Whether this is an image in one file, which can be read whatever the file's suffix."""
        return self.kind == "NIfTI" or (self.kind in _WHOLE and not self.gzip_layers)

    @property
    def remedy(self) -> str:
        """What to do with a file that can't be read because it is this."""
        return "unpack it with gunzip" if self.gzip_layers else _REMEDIES.get(self.kind, "convert it")


def content_of(path: Path) -> Content:
    """Identify a file by its first bytes; looks into at most three layers of gzip."""
    with ExitStack() as files:
        stream: BinaryIO = files.enter_context(path.open("rb"))
        start, layers = stream.read(_READ_BYTES), 0
        while start.startswith(_GZIP) and layers < _MOST_GZIP_LAYERS:
            stream.seek(0)
            stream = cast(BinaryIO, files.enter_context(gzip.GzipFile(fileobj=stream, mode="rb")))
            start, layers = _unpacked_start(stream), layers + 1
    return Content(kind_of(start), layers)


def kind_of(start: bytes) -> str:
    """Return the kind of a file that begins with these bytes, "" if unknown."""
    for kind, offset, magic in _MAGIC:
        if start[offset : offset + len(magic)] == magic:
            return kind
    return _nifti_kind(start) or _text_kind(start)


def stated_kind(path: Path) -> str:
    """Return the kind of content that a path's suffix states."""
    return _KINDS_OF_SUFFIX[suffix_of(path)][0]


def _unpacked_start(stream: BinaryIO) -> bytes:
    try:
        return stream.read(_READ_BYTES)
    except (OSError, EOFError, zlib.error):
        return b""


def _nifti_kind(start: bytes) -> str:
    if len(start) < 348:
        return ""
    sizes = {struct.unpack(order + "i", start[:4])[0] for order in "<>"}
    magic = start[344:348] if 348 in sizes else start[4:8] if 540 in sizes else b""
    if magic in (b"n+1\x00", b"n+2\x00"):
        return "NIfTI"
    if magic in (b"ni1\x00", b"ni2\x00"):
        return "NIfTI header"
    return "Analyze" if 348 in sizes else ""


def _text_kind(start: bytes) -> str:
    try:
        text = start.decode("utf-8", errors="strict" if len(start) < _READ_BYTES else "ignore")
    except UnicodeDecodeError:
        return _metaimage(start)
    head = text.lstrip("\ufeff \t\r\n").lower()
    if head.startswith(("<!doctype html", "<html")):
        return "HTML"
    is_text = len(text) > 1 and all(letter.isprintable() or letter in "\t\r\n" for letter in text)
    return _metaimage(start) or ("text" if is_text else "")


def _metaimage(start: bytes) -> str:
    first = start.split(b"\n", 1)[0]
    is_metaimage = b"=" in first and first.split(b"=")[0].strip() in (b"ObjectType", b"NDims", b"Comment")
    return "MetaImage" if is_metaimage else ""
