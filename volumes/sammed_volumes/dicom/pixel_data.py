"""Pixel data: whether its lengths fit the file, before a library allocates what they claim."""

import os
import struct
from typing import Any, BinaryIO

PLAIN_SYNTAXES = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2")
"""Transfer syntaxes without compression: implicit, explicit, big endian."""

_BIG_ENDIAN = "1.2.840.10008.1.2.2"
_DEFLATED = "1.2.840.10008.1.2.1.99"
_UNDEFINED = 0xFFFFFFFF
_PIXELS_GROUP = 0x7FE0
_ITEM, _END_OF_ITEMS = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"
_HEADER_BYTES = 8


def fits_file(file: BinaryIO, syntax: str, start: int, length: int, needed: float) -> bool:
    """Whether pixel data at `start` is complete: `length` bytes of at least `needed` ones, or fragments.

    What follows is checked too, up to the next length: GDCM allocates whatever that is.
    """
    if syntax == _DEFLATED:  # the file holds compressed bytes, not these elements
        return True
    end = file.seek(0, os.SEEK_END)
    if length == _UNDEFINED:
        return syntax not in PLAIN_SYNTAXES and _has_whole_fragments(file, start, end)
    if length < needed and syntax in PLAIN_SYNTAXES:
        return False
    return start + length <= end and _goes_on(file, start + length, end, syntax == _BIG_ENDIAN)


def needed_bytes(header: Any, number_of: Any) -> float:
    """The bytes that plain pixels of a header's size take."""
    count = 1.0
    for keyword in ("Rows", "Columns"):
        count *= number_of(header, keyword, 0)
    for keyword in ("NumberOfFrames", "SamplesPerPixel"):
        count *= number_of(header, keyword, 1)
    return float(count * number_of(header, "BitsAllocated", 8) / 8)


def _has_whole_fragments(file: BinaryIO, start: int, end: int) -> bool:
    place = start
    while place + _HEADER_BYTES <= end:
        file.seek(place)
        block = file.read(_HEADER_BYTES)
        if block[:4] == _END_OF_ITEMS:
            return _goes_on(file, place + _HEADER_BYTES, end, is_big=False)
        (length,) = struct.unpack("<I", block[4:])
        if block[:4] != _ITEM:
            return False
        place += _HEADER_BYTES + length
    return False


def _goes_on(file: BinaryIO, place: int, end: int, is_big: bool) -> bool:
    """Whether the file ends at `place`, or goes on with an element that comes after pixels and fits."""
    if end - place < _HEADER_BYTES:
        return True
    file.seek(place)
    order = ">" if is_big else "<"
    group, _, kind, short, long = struct.unpack(f"{order}HH2sHI", file.read(12).ljust(12, b"\0"))
    if kind in (b"OB", b"OW", b"UN", b"SQ", b"OF", b"UT"):
        length, size = long, 12
    elif kind.isalpha() and kind.isupper():
        length, size = short, _HEADER_BYTES
    else:
        file.seek(place + 4)
        (length,), size = struct.unpack(f"{order}I", file.read(4)), _HEADER_BYTES
    return bool(group >= _PIXELS_GROUP and (length == _UNDEFINED or place + size + length <= end))
