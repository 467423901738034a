"""Volumes: voxels X Y Z as stored, and an affine to RAS millimeters.

`Volume.values(piece)` turns stored values into real ones (HU, signal), in float32 and piece by piece.
The header lets a label volume in the same format repeat the input's grid bit for bit.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from sammed_volumes.affine import check_affine, spacing_mm
from sammed_volumes.errors import UnsupportedVolumeError
from sammed_volumes.grid import VoxelGrid


@dataclass(frozen=True, slots=True)
class NiftiHeader:
    """The binary header of a NIfTI-1 (348 bytes) or NIfTI-2 (540 bytes) file, as read."""

    version: int
    block: bytes


@dataclass(frozen=True, slots=True)
class NrrdHeader:
    """The fields (name, text) of a NRRD header that place its grid in space, as written in the file."""

    fields: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ItkHeader:
    """Spacing, origin and direction (the 3x3 matrix row by row) as in ITK: LPS, mm."""

    spacing_mm: tuple[float, float, float]
    origin_lps_mm: tuple[float, float, float]
    direction_lps: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class DicomHeader:
    """The source of each slice of a DICOM series along axis 2: a file and a frame in it, counted from 0.

    None for a slice that is missing. Files of an `archive` are named as `sammed_volumes.dicom.archive`
    unpacks them.
    """

    sources: tuple[tuple[Path, int] | None, ...]
    archive: Path | None = None


Header = NiftiHeader | NrrdHeader | ItkHeader | DicomHeader


@dataclass(frozen=True, slots=True, eq=False)
class Volume:
    """Voxels on a grid.

    `voxels` is X Y Z as stored (a memory map if the format allows), or X Y 1 3 for a color picture. A real
    value is stored * slope + intercept. `background`, the volume's lowest finite value, replaces the
    `non_finite_count` values that are NaN or infinite. `modality` is DICOM's ("CT", "MR") if known.
    `is_placed` is that of the grid.
    `missing_slices` are indices along axis 2 of slices that the scan lacks, filled with background; labels
    on them mean nothing. `notes` are facts about the file that the user should know.
    """

    voxels: np.ndarray
    affine_ras_mm: np.ndarray
    slope: float = 1.0
    intercept: float = 0.0
    header: Header | None = None
    path: Path | None = None
    modality: str | None = None
    non_finite_count: int = 0
    background: float = 0.0
    is_placed: bool = True
    missing_slices: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_voxels(self.voxels)
        check_affine(self.affine_ras_mm)

    @property
    def shape(self) -> tuple[int, int, int]:
        """X, Y, Z: voxels along the three array axes."""
        x, y, z = self.voxels.shape[:3]
        return x, y, z

    @property
    def grid(self) -> VoxelGrid:
        """The positions of the voxels."""
        return VoxelGrid(self.shape, self.affine_ras_mm, self.is_placed)

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """The distance of neighboring voxels along the three array axes, in millimeters."""
        return spacing_mm(self.affine_ras_mm)

    @property
    def is_color(self) -> bool:
        """Whether this is a picture with three channels, X Y 1 3."""
        return self.voxels.ndim == 4

    @property
    def is_picture(self) -> bool:
        """Whether this is one slice of 8-bit gray or color, with values 0 to 255."""
        return self.voxels.dtype == np.uint8 and self.voxels.shape[2] == 1

    def values(self, stored: np.ndarray) -> np.ndarray:
        """Return the real values of a piece of `voxels`: a new float32 array, NaN and infinity replaced."""
        values = stored.astype(np.float32)  # always a copy, in native byte order
        if self.slope != 1.0:
            values *= np.float32(self.slope)
        if self.intercept != 0.0:
            values += np.float32(self.intercept)
        if self.non_finite_count:
            values[~np.isfinite(values)] = self.background
        return values


def clear_missing(voxels: np.ndarray, volume: Volume) -> None:
    """Set labels X Y Z on the slices that the scan left out to 0, in place: nothing is known there."""
    if volume.missing_slices:
        voxels[:, :, list(volume.missing_slices)] = 0


def check_voxels(voxels: np.ndarray) -> None:
    """Raise UnsupportedVolumeError unless the array is one volume of real numbers, or one color picture."""
    check_numbers(voxels.dtype)
    is_color_picture = voxels.ndim == 4 and voxels.shape[2:] == (1, 3) and voxels.dtype.kind == "u"
    if voxels.ndim != 3 and not is_color_picture:
        raise UnsupportedVolumeError(_dimensions_text(voxels.shape))
    if voxels.size == 0:
        raise UnsupportedVolumeError("it contains no voxels; export it again")


def check_numbers(dtype: np.dtype) -> None:
    """Raise UnsupportedVolumeError unless the type is that of single real numbers."""
    if dtype.kind == "c":
        raise UnsupportedVolumeError("its voxels are complex numbers; save their magnitude instead")
    if dtype.kind not in "uif":
        raise UnsupportedVolumeError(
            "its voxels are not single numbers, as in an RGB volume; save gray values"
        )


def check_three_axes(shape: tuple[int, ...]) -> None:
    """Raise UnsupportedVolumeError unless all axes beyond the third have length one."""
    if any(length != 1 for length in shape[3:]):
        raise UnsupportedVolumeError(_dimensions_text(shape))


def three_axes(voxels: np.ndarray) -> np.ndarray:
    """Return a view with exactly three axes: drops axes of length one beyond the third, adds missing ones.

    >>> three_axes(np.zeros((5, 7, 3, 1))).shape, three_axes(np.zeros((5, 7))).shape
    ((5, 7, 3), (5, 7, 1))
    """
    check_three_axes(voxels.shape)
    missing = (1,) * (3 - voxels.ndim)
    return voxels.reshape((*voxels.shape[:3], *missing))


def count_non_finite(volume: Volume) -> Volume:
    """Return the same volume with NaN and infinity counted, and a background value for them.

    Skips integers. Scans floating-point voxels plane by plane, without copying the whole.
    """
    if volume.voxels.dtype.kind != "f":
        return volume
    count, lowest = 0, np.inf
    for plane in planes(volume.voxels):
        values = volume.values(plane)
        finite = np.isfinite(values)
        count += values.size - int(np.count_nonzero(finite))
        lowest = min(lowest, float(np.min(values, where=finite, initial=np.inf)))
    background = lowest if np.isfinite(lowest) else 0.0
    return replace(volume, non_finite_count=count, background=background)


def planes(voxels: np.ndarray) -> Iterator[np.ndarray]:
    """Yield views of a volume's planes along the axis that is slowest in memory or in the file."""
    yield from np.moveaxis(voxels, int(np.argmax(np.abs(voxels.strides[:3]))), 0)


def _dimensions_text(shape: tuple[int, ...]) -> str:
    lengths = " x ".join(str(length) for length in shape)
    return f"it has {len(shape)} dimensions ({lengths}); save a single 3-D volume"
