"""NRRD, attached (`.nrrd`, `.seg.nrrd`) and detached (`.nhdr`), read with pynrrd.

This module decodes the header lines as UTF-8, because pynrrd drops letters that are not ASCII, which Slicer's
segment names may have. For the same reason it does not write with pynrrd. It writes no date, so equal volumes
give equal files.
"""

import io
import math
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from sammed_volumes.affine import swap_ras_lps
from sammed_volumes.deflate import inflate
from sammed_volumes.errors import UnreadableVolumeError, UnsupportedVolumeError, VolumeError
from sammed_volumes.volume import NrrdHeader, Volume, three_axes

_PLACING_FIELDS = (
    "space",
    "space dimension",
    "space directions",
    "space units",
    "space origin",
    "measurement frame",
)
_FIELD = re.compile(r"([^#:][^:]*): (.*)")
_PAIR = re.compile(r"([^#:][^:]*):=(.*)")
_LPS, _RAS, _LAS = "left-posterior-superior", "right-anterior-superior", "left-anterior-superior"
_SPACES = {_LPS: _LPS, "lps": _LPS, _RAS: _RAS, "ras": _RAS, _LAS: _LAS, "las": _LAS}
_RARE_FIELDS = {"data file", "datafile", "line skip", "lineskip", "byte skip", "byteskip"}
_GZIP_WINDOW = zlib.MAX_WBITS | 16


@dataclass(frozen=True, slots=True, eq=False)
class NrrdImage:
    """The content of a NRRD file.

    `voxels` is the array as stored, first index fastest. `list_axis` is its one axis that is not spatial, if
    any; the affine is that of the others. `header` is None if there is such an axis.
    """

    voxels: np.ndarray
    affine_ras_mm: np.ndarray
    header: NrrdHeader | None
    pairs: Mapping[str, str]
    list_axis: int | None

    def as_volume(self, path: Path) -> Volume:
        """Return the file's one volume; raises UnsupportedVolumeError if it is not one."""
        voxels = self.voxels
        if self.list_axis is not None:
            voxels = np.moveaxis(voxels, self.list_axis, -1)  # X Y Z L; three_axes accepts L = 1 only
        return Volume(three_axes(voxels), self.affine_ras_mm, header=self.header, path=path)


def read_nrrd(path: Path) -> Volume:
    """Read a volume."""
    return read_nrrd_image(path).as_volume(path)


def read_nrrd_image(path: Path) -> NrrdImage:
    """Read a NRRD file with any number of axes; the affine is that of the spatial ones."""
    import nrrd

    try:
        with path.open("rb") as file:
            lines = _header_lines(file)
            header = nrrd.read_header(lines)
            voxels = _read_voxels(header, file, path)
    except VolumeError:
        raise
    except FileNotFoundError as error:
        raise UnreadableVolumeError(
            f"its voxels should be in {error.filename}, which is missing; put it there"
        ) from error
    except (nrrd.NRRDError, zlib.error, EOFError, LookupError, ValueError, OverflowError, OSError) as error:
        raise UnreadableVolumeError("it is not a complete NRRD file; copy or export it again") from error
    list_axis = _list_axis(header)
    placing = _placing_fields(lines) if list_axis is None else None
    return NrrdImage(voxels, _affine(header), placing, _matches(lines, _PAIR), list_axis)


def _read_voxels(header: Mapping[str, Any], file: BinaryIO, path: Path) -> np.ndarray:
    """Map raw voxels or decompress gzip; leave rarer encodings, skips and detached files to pynrrd.

    While pynrrd decompresses, it needs the memory of the compressed bytes and of several times the voxels.
    """
    import nrrd

    encoding, shape = header.get("encoding"), tuple(header["sizes"].tolist())
    if len(shape) != header["dimension"]:  # so that no array has a dimension's length
        raise UnreadableVolumeError(
            "the sizes in its header do not match its dimension; copy or export it again"
        )
    if min(shape) < 1:  # an axis of layers, too
        raise UnsupportedVolumeError("it contains no voxels; export it again")
    if _RARE_FIELDS & header.keys() or encoding not in ("raw", "gzip", "gz"):
        return np.asarray(nrrd.read_data(header, file, str(path)))
    dtype = _stored_type(header)
    if encoding == "raw":
        return np.memmap(path, dtype, "r", offset=file.tell(), shape=shape, order="F")
    data = inflate(file.read(), _GZIP_WINDOW, math.prod(shape) * dtype.itemsize)
    return np.frombuffer(data, dtype).reshape(shape, order="F")


def _stored_type(header: Mapping[str, Any]) -> np.dtype:
    """Return the type of a voxel, from pynrrd, which knows all of NRRD's names for types."""
    import nrrd

    single = {**header, "sizes": np.ones(header["dimension"], dtype=int), "encoding": "raw"}
    return np.asarray(nrrd.read_data(single, io.BytesIO(bytes(16)))).dtype


def write_nrrd(
    voxels: np.ndarray,
    affine_ras_mm: np.ndarray,
    path: Path,
    header: NrrdHeader | None,
    pairs: Mapping[str, str],
) -> None:
    """Write whole numbers X Y Z, on exactly the grid of `header` if given, else on that of the affine."""
    fields = dict(_placed_fields(affine_ras_mm) if header is None else header.fields)
    axes = _stored_axes(fields, voxels)
    space: dict[str, str] = {
        name: fields.pop(name) for name in ("space", "space dimension") if name in fields
    }
    lines = [
        "NRRD0005",
        f"type: {voxels.dtype.name}",
        f"dimension: {axes}",
        *_lines(space),
        f"sizes: {' '.join(str(length) for length in voxels.shape[:axes])}",
        f"kinds: {' '.join(['domain'] * axes)}",
        *(["endian: little"] if voxels.dtype.itemsize > 1 else []),
        "encoding: gzip",
        *_lines(fields),
        *(f"{key}:={_one_line(value)}" for key, value in pairs.items()),
    ]
    with path.open("wb") as file:
        file.write(("\n".join(lines) + "\n\n").encode())
        _write_gzip(voxels, file)


def _lines(fields: Mapping[str, str]) -> list[str]:
    return [f"{name}: {value}" for name, value in fields.items()]


def _write_gzip(voxels: np.ndarray, file: BinaryIO) -> None:
    """Compress plane by plane, first index fastest."""
    compressor = zlib.compressobj(6, zlib.DEFLATED, _GZIP_WINDOW)
    for k in range(voxels.shape[2]):
        file.write(compressor.compress(voxels[:, :, k].tobytes(order="F")))
    file.write(compressor.flush())


def _header_lines(file: BinaryIO) -> list[str]:
    """Read the header up to its blank line, and leave the file at the first byte of data."""
    magic = file.readline(16)
    if not magic.startswith(b"NRRD"):
        raise UnreadableVolumeError("it does not begin with NRRD; copy or export it again")
    lines = [magic.decode()]
    while line := file.readline():
        lines.append(line.decode("utf-8", errors="replace"))
        if not line.strip():
            break
    return lines


def _placing_fields(lines: list[str]) -> NrrdHeader:
    text = _matches(lines, _FIELD)
    return NrrdHeader(tuple((name, text[name]) for name in _PLACING_FIELDS if name in text))


def _matches(lines: list[str], pattern: re.Pattern[str]) -> dict[str, str]:
    matches = (pattern.match(line) for line in lines[1:])
    return {match[1].strip(): match[2].strip() for match in matches if match}


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _affine(header: Mapping[str, Any]) -> np.ndarray:
    matrix = np.eye(4)
    directions = _directions(header)
    axes = directions.shape[0]
    matrix[: directions.shape[1], :axes] = directions.T
    origin = np.asarray(header.get("space origin", np.zeros(3)), dtype=np.float64)
    matrix[: len(origin), 3] = origin
    return _to_ras(matrix, header)


def _list_axis(header: Mapping[str, Any]) -> int | None:
    """Return the axis of a 4-D image that is not spatial: the one without a direction."""
    if header["dimension"] != 4 or "space directions" not in header:
        return None
    without = [axis for axis, row in enumerate(header["space directions"]) if np.isnan(row).any()]
    return without[0] if len(without) == 1 else None


def _directions(header: Mapping[str, Any]) -> np.ndarray:
    """Return one row per spatial axis of the array: the step in space along it."""
    if "space directions" in header:
        rows = np.asarray(header["space directions"], dtype=np.float64)
        return rows[~np.isnan(rows).any(axis=1)][:3]
    spacings = np.asarray(header.get("spacings", np.ones(header["dimension"])), dtype=np.float64)[:3]
    return np.diag(np.where(np.isnan(spacings), 1.0, spacings))


def _to_ras(matrix: np.ndarray, header: Mapping[str, Any]) -> np.ndarray:
    name = str(header.get("space", _LPS)).lower()
    space = _SPACES.get(name)
    if space is None:
        raise UnsupportedVolumeError(f"its NRRD space is {name!r}; save it in {_LPS} or {_RAS}")
    if space == _LAS:
        return np.asarray(np.diag([-1.0, 1.0, 1.0, 1.0]) @ matrix + 0.0)
    return matrix if space == _RAS else swap_ras_lps(matrix)


def _placed_fields(affine_ras_mm: np.ndarray) -> tuple[tuple[str, str], ...]:
    affine_lps_mm = swap_ras_lps(affine_ras_mm)
    columns = " ".join(_vector(affine_lps_mm[:3, axis]) for axis in range(3))
    return ("space", _LPS), ("space directions", columns), ("space origin", _vector(affine_lps_mm[:3, 3]))


def _vector(numbers: np.ndarray) -> str:
    return "(" + ",".join(repr(float(number)) for number in numbers) + ")"


def _stored_axes(fields: Mapping[str, str], voxels: np.ndarray) -> int:
    """Return 2 for a picture that was stored with two axes, whose fields have two entries, else 3."""
    entries = fields.get("space directions", "").count("(") or len(fields.get("spacings", "").split())
    return 2 if voxels.shape[2] == 1 and entries == 2 else 3
