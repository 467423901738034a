"""NIfTI-1 and NIfTI-2, `.nii` and `.nii.gz`, and Analyze, with nibabel; writes NIfTI only."""

import gzip
import math
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from sammed_volumes.deflate import MOST_PER_BYTE
from sammed_volumes.errors import UnreadableVolumeError, VolumeError
from sammed_volumes.nifti_position import position_in
from sammed_volumes.volume import NiftiHeader, Volume, check_numbers, check_three_axes, three_axes

_XFORM_SCANNER = 1  # NIfTI's code for scanner coordinates
# NIfTI-1 stores the length of an axis in 16 bits, and millimeters as float32, whose steps at 300 mm are
# 3e-5 mm. NIfTI-2 has neither limit, but ITK can't read it, so it is only for longer axes.
_LARGEST_NIFTI1 = 32767
_CHUNK_BYTES = 1 << 20

_LEFT_AND_RIGHT_UNSAFE = (
    "Analyze does not state which side is left, so left and right may be swapped; use the NIfTI or DICOM "
    "original if there is one"
)
_ANALYZE_UNPLACED = "it states no position, so positions are made up"


def read_nifti(path: Path, gzip_layers: int | None = None) -> Volume:
    """Read a volume: a `.nii` as a memory map, a `.nii.gz` as an array of the stored type.

    `gzip_layers` is how many times gzip compressed the file; None if as the suffix states. A `.hdr` is read
    with its `.img`, as NIfTI or Analyze.
    """
    with _plain_errors(), _silence(), _loaded(path, gzip_layers) as image:
        # Check before reading gigabytes for nothing.
        check_numbers(image.get_data_dtype())
        check_three_axes(image.shape)
        _check_size(image, path, gzip_layers)
        stored = image.dataobj.get_unscaled()
        _check_to_end(image.file_map["image"].fileobj)
        header = _header(image)
        notes, is_placed = _position_of(image, header)
    return Volume(
        voxels=three_axes(stored),
        affine_ras_mm=np.asarray(image.affine, dtype=np.float64),
        slope=float(image.dataobj.slope),
        intercept=float(image.dataobj.inter),
        header=header,
        path=path,
        notes=notes,
        is_placed=is_placed,
    )


def _position_of(image: Any, header: NiftiHeader | None) -> tuple[tuple[str, ...], bool]:
    """Return what the user should know about the position, and whether the file states one.

    Analyze itself has none: nibabel puts the origin into the middle, unless SPM wrote one into the header or
    a `.mat`.
    """
    if header is not None:
        position = position_in(header)
        return position.notes, position.is_stated
    is_placed = not np.allclose(image.affine, image.header.get_base_affine())
    return (_LEFT_AND_RIGHT_UNSAFE, *(() if is_placed else (_ANALYZE_UNPLACED,))), is_placed


def write_nifti(
    voxels: np.ndarray, affine_ras_mm: np.ndarray, path: Path, header: NiftiHeader | None
) -> None:
    """Write unsigned whole numbers, on exactly the grid of `header` if given, else on that of the affine."""
    nibabel = _nibabel()
    filled = _placed_header(voxels, affine_ras_mm) if header is None else _copied_header(header)
    filled.set_data_dtype(voxels.dtype)
    filled.set_slope_inter(1, 0)
    filled["cal_min"] = filled["cal_max"] = 0
    filled["intent_code"] = 0
    filled["vox_offset"] = 0  # nibabel sets it; the input's may include extensions
    image_class = nibabel.Nifti2Image if isinstance(filled, nibabel.Nifti2Header) else nibabel.Nifti1Image
    shape = filled.get_data_shape() if header is not None else voxels.shape
    # Without an affine, nibabel keeps the header's qform, sform and their codes.
    image = image_class(voxels.reshape(shape), None, filled)
    image.to_filename(path)


def _copied_header(header: NiftiHeader) -> Any:
    nibabel = _nibabel()
    header_class = nibabel.Nifti1Header if header.version == 1 else nibabel.Nifti2Header
    return header_class(header.block, check=False).as_byteswapped("<")


def _placed_header(voxels: np.ndarray, affine_ras_mm: np.ndarray) -> Any:
    nibabel = _nibabel()
    header = nibabel.Nifti1Header() if max(voxels.shape) <= _LARGEST_NIFTI1 else nibabel.Nifti2Header()
    header.set_data_shape(voxels.shape)
    header.set_xyzt_units("mm")
    header.set_sform(affine_ras_mm, _XFORM_SCANNER)
    # A qform can't store shear; code 0 disables it.
    header.set_qform(affine_ras_mm, 0 if _is_sheared(affine_ras_mm) else _XFORM_SCANNER, strip_shears=True)
    return header


def _is_sheared(affine_ras_mm: np.ndarray) -> bool:
    directions = affine_ras_mm[:3, :3] / np.linalg.norm(affine_ras_mm[:3, :3], axis=0)
    return not np.allclose(directions.T @ directions, np.eye(3), atol=1e-5)


def _header(image: Any) -> NiftiHeader | None:
    """Return the header of a NIfTI image, None for Analyze."""
    if not isinstance(image, _nibabel().Nifti1Pair):
        return None
    return NiftiHeader(version=2 if image.header.sizeof_hdr == 540 else 1, block=image.header.binaryblock)


def _check_size(image: Any, path: Path, gzip_layers: int | None) -> None:
    """Raise UnreadableVolumeError, before memory is taken, if the file can't hold what its header states."""
    stored = Path(image.file_map["image"].filename or path)  # of Analyze another file than the header's
    layers = int(stored.suffix.lower() == ".gz") if gzip_layers is None else gzip_layers
    size = math.prod(image.shape) * image.get_data_dtype().itemsize
    if not 0 < size <= stored.stat().st_size * MOST_PER_BYTE**layers:
        raise UnreadableVolumeError("it is cut short or damaged; copy or export it again")


def _check_to_end(stream: Any) -> None:
    """Read a gzip stream up to the checksum behind the voxels, which shows whether they are right.

    Raises gzip.BadGzipFile. None and other streams have no checksum; what follows it is not the image's.
    """
    if not isinstance(stream, gzip.GzipFile):
        return
    try:
        while stream.read(_CHUNK_BYTES):
            pass
    except gzip.BadGzipFile as error:
        if "Not a gzipped file" not in str(error):
            raise


@contextmanager
def _loaded(path: Path, gzip_layers: int | None) -> Iterator[Any]:
    """Load an image, whose voxels can be read until the context ends."""
    nibabel = _nibabel()
    is_compressed = path.suffix.lower() == ".gz"
    if gzip_layers is None and not is_compressed:
        yield nibabel.load(path, mmap="r") if path.suffix.lower() == ".nii" else nibabel.load(path)
        return
    with ExitStack() as files:
        stream: Any = files.enter_context(path.open("rb"))
        for _ in range(1 if gzip_layers is None else gzip_layers):
            stream = files.enter_context(gzip.GzipFile(fileobj=stream, mode="rb"))
        start = stream.read(4)
        stream.seek(0)
        is_second = 540 in (int.from_bytes(start, "little"), int.from_bytes(start, "big"))
        image_class = nibabel.Nifti2Image if is_second else nibabel.Nifti1Image
        yield image_class.from_file_map({"image": nibabel.FileHolder(fileobj=stream)})


def _nibabel() -> Any:
    """Import nibabel when a file is read, so that `sammed --help` starts faster."""
    import nibabel

    return nibabel


@contextmanager
def _silence() -> Iterator[None]:
    """Keep nibabel's messages about repaired header fields off the user's terminal."""
    from nibabel.imageglobals import LoggingOutputSuppressor

    with LoggingOutputSuppressor():
        yield


@contextmanager
def _plain_errors() -> Iterator[None]:
    from nibabel.filebasedimages import ImageFileError
    from nibabel.spatialimages import HeaderDataError

    try:
        yield
    except VolumeError:
        raise
    except FileNotFoundError as error:
        raise UnreadableVolumeError(
            f"its voxels should be in {error.filename}, which is missing; put it there"
        ) from error
    except (EOFError, zlib.error) as error:
        raise UnreadableVolumeError("it is cut short or damaged; copy or export it again") from error
    except (ImageFileError, HeaderDataError, OSError, ValueError, OverflowError) as error:
        raise UnreadableVolumeError("it is not a complete NIfTI file; copy or export it again") from error
