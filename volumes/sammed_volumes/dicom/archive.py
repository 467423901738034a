"""Archives: the DICOM files of a zip, unpacked into a private folder that is removed afterwards."""

import os
import shutil
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from sammed_volumes.dicom.headers import DICOM_SUFFIXES, is_marked
from sammed_volumes.errors import UnreadableVolumeError, UnsupportedVolumeError, VolumeError

ARCHIVE_SUFFIX = ".zip"

# Deflate shrinks no scan to less than a hundredth, and a bomb to a thousandth. A small archive may be denser.
_MOST_TIMES_LARGER = 100
_ALWAYS_BYTES = 100 << 20
_MOST_MEMBERS = 200_000
_ENCRYPTED = 0x1
_START_BYTES = 132
_LONGEST_END = (1 << 16) + 22  # with the longest comment
_COUNTED_ELSEWHERE = 0xFFFF
# What zipfile raises for broken archives, apart from the system's errors.
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    LookupError,
    ValueError,
    NotImplementedError,
)
_DAMAGED = "it is not a zip archive, or it is damaged; export or copy it again"


@contextmanager
def unpacked(archive: Path) -> Iterator[Path]:
    """A folder with the DICOM files of an archive, wherever they lie in it, named in the archive's order.

    Raises UnreadableVolumeError for a damaged archive, and UnsupportedVolumeError for one that needs a
    password or is unsafe: paths that leave it, sizes that no scan has.
    """
    with tempfile.TemporaryDirectory(prefix="sammed-") as name:
        folder = Path(name)
        try:
            with zipfile.ZipFile(archive) as file:
                _unpack(file, archive, folder)
        except VolumeError:
            raise
        except _BROKEN:
            raise UnreadableVolumeError(_DAMAGED) from None
        yield folder


def _check_count(file: zipfile.ZipFile, archive: Path) -> None:
    """Raise BadZipFile unless the directory has as many members as its end states, which zipfile ignores."""
    with archive.open("rb") as stream:
        stream.seek(-min(archive.stat().st_size, _LONGEST_END), os.SEEK_END)
        end = stream.read()
    (stated,) = struct.unpack_from("<H", end, end.rindex(b"PK\x05\x06") + 10)
    if stated not in (len(file.infolist()) & _COUNTED_ELSEWHERE, _COUNTED_ELSEWHERE):
        raise zipfile.BadZipFile


def _unpack(file: zipfile.ZipFile, archive: Path, folder: Path) -> None:
    _check_count(file, archive)
    members = [each for each in file.infolist() if not each.is_dir()]
    _check(members, archive.stat().st_size)
    for number, member in enumerate(members):
        place = PurePosixPath(member.filename)
        if place.name.startswith(".") or "__MACOSX" in place.parts:
            continue
        with file.open(member) as source:
            start = source.read(_START_BYTES)
            if not (is_marked(start) or place.suffix.lower() in DICOM_SUFFIXES):
                continue
            with (folder / f"{number:06d}-{place.name[-100:]}").open("wb") as target:
                target.write(start)
                shutil.copyfileobj(source, target)


def _check(members: list[zipfile.ZipInfo], archive_bytes: int) -> None:
    for member in members:
        name = member.filename.replace("\\", "/")
        if ".." in name.split("/") or name.startswith("/") or name[1:2] == ":":
            raise UnsupportedVolumeError(
                f"its member {member.filename!r} would be unpacked outside of the folder; unpack it by hand"
            )
        if member.flag_bits & _ENCRYPTED:
            raise UnsupportedVolumeError("it needs a password; unpack it and use the folder")
    total = sum(member.file_size for member in members)
    if total > max(_ALWAYS_BYTES, _MOST_TIMES_LARGER * archive_bytes) or len(members) > _MOST_MEMBERS:
        raise UnsupportedVolumeError(
            f"it would unpack to {len(members)} files and {total / 1e9:.3g} GB, which no scan does; "
            "unpack it by hand"
        )
