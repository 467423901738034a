"""Claims: headers that state 10^12 voxels, or as many as their format has room for, before a few bytes.

Rows and columns of JPEG and DICOM have 16 bits each; files of many frames claim more frames, too.
"""

import re
import struct
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

_EDGE, _SIDE = 10_000, 1_000_000  # a cube, and a square, of 10^12
_MOST_16 = 65_535
_FRAMES = b"1000000"
_ROWS, _COLUMNS, _COUNT = b"\x28\x00\x10\x00", b"\x28\x00\x11\x00", b"\x28\x00\x08\x00IS"


def _at(start: int, code: str, header: bytes) -> bytes:
    """Write the edge of a cube three times, as `code` of struct, from `start` on."""
    packed = struct.pack(f"<3{code}", *(_EDGE,) * 3)
    return header[:start] + packed + header[start + len(packed) :]


def _in_text(name: bytes, header: bytes) -> bytes:
    """Set the last three sizes of a field."""
    pattern = name + rb"((?: \d+)*?) \d+ \d+ \d+\n"
    return re.sub(pattern, name + rb"\1" + b" %d" % _EDGE * 3 + b"\n", header, count=1)


def _of_png(header: bytes) -> bytes:
    return header[:16] + struct.pack(">2I", _SIDE, _SIDE) + header[24:]


def _of_jpeg(header: bytes) -> bytes:
    place = header.index(b"\xff\xc0") + 5
    return header[:place] + struct.pack(">2H", _MOST_16, _MOST_16) + header[place + 4 :]


def _of_tiff(header: bytes) -> bytes:
    for tag in (256, 257):  # width and length of every page
        entry = re.compile(struct.pack("<H", tag) + rb"[\x03\x04]\x00\x01\x00\x00\x00....", re.DOTALL)
        header = entry.sub(struct.pack("<HHII", tag, 4, 1, _SIDE), header)
    return header


def _of_dicom(header: bytes) -> bytes:
    """Set rows and columns, and the number of frames where there is one, with room for its text."""
    for tag in (_ROWS, _COLUMNS):
        stored = re.compile(b"(" + re.escape(tag) + rb"(?:US\x02\x00|\x02\x00\x00\x00))..", re.DOTALL)
        header = stored.sub(rb"\1" + struct.pack("<H", _MOST_16), header, count=1)
    counted = re.compile(b"(" + re.escape(_COUNT) + rb")..", re.DOTALL)
    return counted.sub(rb"\1" + b"\x08\x00" + _FRAMES + b" ", header, count=1)


def _of_zip(directory: bytes) -> bytes:
    """Set the size of each member to the most that 32 bits hold."""
    return re.sub(rb"(PK\x01\x02.{20})....", rb"\1" + b"\xff\xff\xff\xfe", directory, flags=re.DOTALL)


_NRRD, _META = partial(_in_text, b"sizes:"), partial(_in_text, b"DimSize =")
_SHORT, _LONG = partial(_at, 42, "h"), partial(_at, 24, "q")
CLAIMS: Mapping[str, Callable[[bytes], bytes]] = MappingProxyType(
    {
        **dict.fromkeys(("nifti", "nifti-gz", "nifti-pair", "analyze"), _SHORT),
        "nifti-2": _LONG,
        **dict.fromkeys(("nrrd", "nrrd-ascii", "nrrd-bzip2", "nhdr", "seg-nrrd", "layers"), _NRRD),
        **dict.fromkeys(("metaimage", "metaimage-z", "mhd"), _META),
        **dict.fromkeys(("png", "colors", "slices"), _of_png),
        "jpeg": _of_jpeg,
        **dict.fromkeys(("tiff", "tiff-raw"), _of_tiff),
        **dict.fromkeys(("dicom", "dicom-rle", "dicom-jpeg", "dicom-j2k", "dicom-deflate"), _of_dicom),
        **dict.fromkeys(("dicom-multi", "dicom-seg", "label-map"), _of_dicom),
        "zip": _of_zip,
    }
)
SET_ASIDE = ("dicom-rle", "dicom-jpeg", "dicom-j2k", "dicom-deflate")
"""Formats of series, compressed, of which a slice of another size is set aside with a note."""
