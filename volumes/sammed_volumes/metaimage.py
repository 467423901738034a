"""MetaImage, `.mha` and `.mhd`: a few lines of text, then (or in a second file) the voxels.

Does not use ITK, because ITK's MetaIO prints its errors to the terminal, rejects `.MHA`, and can't map the
file into memory. The tests compare reading and writing with SimpleITK.
"""

import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sammed_volumes.affine import swap_ras_lps
from sammed_volumes.deflate import inflate
from sammed_volumes.errors import UnreadableVolumeError, UnsupportedVolumeError
from sammed_volumes.volume import ItkHeader, Volume, three_axes

_TYPES = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG": "i4",  # MetaIO defines four bytes on every machine
    "MET_ULONG": "u4",
    "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}
_WRITTEN_TYPES = {1: "MET_UCHAR", 2: "MET_USHORT", 4: "MET_UINT", 8: "MET_ULONG_LONG"}
_LONGEST_HEADER_LINES = 1000
_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32


@dataclass(frozen=True, slots=True)
class _Text:
    """The header's fields, and the position in the file where it ends."""

    fields: Mapping[str, str]
    end: int

    def get(self, *names: str, default: str) -> str:
        return next((self.fields[name] for name in names if name in self.fields), default)

    def numbers(self, *names: str, default: str) -> tuple[float, ...]:
        return tuple(float(word) for word in self.get(*names, default=default).split())

    def flag(self, *names: str) -> bool:
        return self.get(*names, default="False").lower() in ("true", "1")


def read_metaimage(path: Path) -> Volume:
    """Read a volume, as a memory map unless it is compressed."""
    try:
        text = _read_text(path)
        stored = _read_voxels(path, text)
        header = _grid(text)
    except (OSError, ValueError, KeyError, EOFError, OverflowError, zlib.error) as error:
        if isinstance(error, UnreadableVolumeError | UnsupportedVolumeError):
            raise
        raise UnreadableVolumeError("it is not a complete MetaImage; copy or export it again") from error
    return Volume(three_axes(stored), affine_of(header), header=header, path=path)


def write_metaimage(voxels: np.ndarray, path: Path, header: ItkHeader) -> None:
    """Write little-endian unsigned whole numbers, compressed, on exactly the header's grid."""
    # Plane by plane, first index fastest. The size precedes the data in the file, so keep all parts.
    compressor = zlib.compressobj(6)
    parts = [compressor.compress(voxels[:, :, k].tobytes(order="F")) for k in range(voxels.shape[2])]
    parts.append(compressor.flush())
    direction = np.reshape(header.direction_lps, (3, 3))
    lines = [
        "ObjectType = Image",
        "NDims = 3",
        "BinaryData = True",
        "BinaryDataByteOrderMSB = False",
        "CompressedData = True",
        f"CompressedDataSize = {sum(map(len, parts))}",
        f"TransformMatrix = {_words(direction.T.ravel())}",  # one axis after another
        f"Offset = {_words(header.origin_lps_mm)}",
        "CenterOfRotation = 0 0 0",
        f"ElementSpacing = {_words(header.spacing_mm)}",
        f"DimSize = {' '.join(map(str, voxels.shape))}",
        f"ElementType = {_WRITTEN_TYPES[voxels.dtype.itemsize]}",
        "ElementDataFile = LOCAL",
    ]
    with path.open("wb") as file:
        file.write(("\n".join(lines) + "\n").encode())
        file.writelines(parts)


def affine_of(header: ItkHeader) -> np.ndarray:
    """Return the RAS affine of ITK's spacing, origin and direction."""
    affine_lps_mm = np.eye(4)
    affine_lps_mm[:3, :3] = np.reshape(header.direction_lps, (3, 3)) * header.spacing_mm
    affine_lps_mm[:3, 3] = header.origin_lps_mm
    return swap_ras_lps(affine_lps_mm)


def itk_header(affine_ras_mm: np.ndarray) -> ItkHeader:
    """Return ITK's spacing, origin and direction of an RAS affine; the inverse of `affine_of`."""
    affine_lps_mm = swap_ras_lps(affine_ras_mm)
    x, y, z = (float(length) for length in np.linalg.norm(affine_lps_mm[:3, :3], axis=0))
    direction = affine_lps_mm[:3, :3] / (x, y, z) + 0.0
    i, j, k = affine_lps_mm[:3, 3].tolist()
    return ItkHeader((x, y, z), (i, j, k), tuple(direction.ravel().tolist()))


def _read_text(path: Path) -> _Text:
    fields: dict[str, str] = {}
    with path.open("rb") as file:
        for _ in range(_LONGEST_HEADER_LINES):
            name, equals, value = file.readline(4096).decode("utf-8").partition("=")
            if not equals:
                break
            fields[name.strip()] = value.strip()
            if name.strip() == "ElementDataFile":
                return _Text(fields, file.tell())
    raise UnreadableVolumeError("its text does not end with ElementDataFile; copy or export it again")


def _read_voxels(path: Path, text: _Text) -> np.ndarray:
    if int(text.get("ElementNumberOfChannels", default="1")) != 1:
        raise UnsupportedVolumeError("its voxels have several channels, as in an RGB image; save one channel")
    shape = _shape(text)
    is_big = text.flag("BinaryDataByteOrderMSB", "ElementByteOrderMSB")
    dtype = np.dtype(_TYPES[text.fields["ElementType"]]).newbyteorder(">" if is_big else "<")
    place = text.fields["ElementDataFile"]
    if place.upper().startswith("LIST") or "%" in place:
        raise UnsupportedVolumeError("its voxels are in a list of files; save it as one .mha")
    data_path = path if place.upper() == "LOCAL" else path.parent / place
    if not data_path.is_file():
        raise UnreadableVolumeError(f"its voxels should be in {data_path}, which is missing; put it there")
    start = text.end if data_path == path else int(text.get("HeaderSize", default="0"))
    if start < 0:  # -1 means: the voxels are at the end of the file
        start = data_path.stat().st_size - math.prod(shape) * dtype.itemsize
    if text.flag("CompressedData"):
        return _unpacked(data_path, start, dtype, shape)
    if not text.flag("BinaryData"):
        words = data_path.read_bytes()[start:].split()
        return np.array(words, dtype=dtype.newbyteorder("=")).reshape(shape, order="F")
    return np.memmap(data_path, dtype=dtype, mode="r", offset=start, shape=shape, order="F")


def _shape(text: _Text) -> tuple[int, ...]:
    shape = tuple(int(word) for word in text.fields["DimSize"].split())
    if not shape or min(shape) < 1:
        raise UnreadableVolumeError("its DimSize is not one of a volume; copy or export it again")
    return shape


def _unpacked(path: Path, start: int, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
    with path.open("rb") as file:
        file.seek(start)
        data = inflate(file.read(), _GZIP_OR_ZLIB, math.prod(shape) * dtype.itemsize)
    return np.frombuffer(data, dtype=dtype).reshape(shape, order="F")


def _grid(text: _Text) -> ItkHeader:
    """Return spacing, origin and direction, with a third axis if the image has two."""
    axes = len(text.fields["DimSize"].split())
    spacing = np.ones(3)
    origin, axis_directions = np.zeros(3), np.eye(3)  # rows: the direction of one axis
    kept = min(axes, 3)
    spacing[:kept] = text.numbers("ElementSpacing", "ElementSize", default="1 " * axes)[:kept]
    origin[:kept] = text.numbers("Offset", "Position", "Origin", default="0 " * axes)[:kept]
    identity = " ".join(map(str, np.eye(axes).ravel()))
    matrix = np.reshape(
        text.numbers("TransformMatrix", "Orientation", "Rotation", default=identity), (axes, axes)
    )
    axis_directions[:kept, :kept] = matrix[:kept, :kept]
    x, y, z = spacing.tolist()
    i, j, k = origin.tolist()
    return ItkHeader((x, y, z), (i, j, k), tuple(axis_directions.T.ravel().tolist()))


def _words(numbers: np.ndarray | tuple[float, ...]) -> str:
    return " ".join(repr(float(number)) for number in numbers)
