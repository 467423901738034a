"""NIfTI-1 and NIfTI-2, `.nii` and `.nii.gz`, through nibabel."""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from sammed_volumes.errors import UnreadableVolumeError, VolumeError
from sammed_volumes.volume import NiftiHeader, Volume, check_numbers, check_three_axes, three_axes

_XFORM_SCANNER = 1  # NIfTI's code for coordinates of the scanner
# NIfTI-1 counts the voxels along an axis in 16 bits and keeps millimeters as float32, whose steps at 300 mm
# are 3e-5 mm. NIfTI-2 has neither limit, but ITK can't read it: it is written where nothing else will do.
_LARGEST_NIFTI1 = 32767


def read_nifti(path: Path) -> Volume:
    """Read a volume: a memory map of a `.nii`, an array of the stored type of a `.nii.gz`."""
    with _plain_errors(), _silence():
        image = _load(path)
        # Both before gigabytes of something else are read.
        check_numbers(image.get_data_dtype())
        check_three_axes(image.shape)
        stored = image.dataobj.get_unscaled()
    return Volume(
        voxels=three_axes(stored),
        affine_ras_mm=np.asarray(image.affine, dtype=np.float64),
        slope=float(image.dataobj.slope),
        intercept=float(image.dataobj.inter),
        header=NiftiHeader(
            version=2 if image.header.sizeof_hdr == 540 else 1, block=image.header.binaryblock
        ),
        path=path,
    )


def write_nifti(
    voxels: np.ndarray, affine_ras_mm: np.ndarray, path: Path, header: NiftiHeader | None
) -> None:
    """Write unsigned whole numbers: with `header` on exactly its grid, else on the affine's."""
    nibabel = _nibabel()
    filled = _placed_header(voxels, affine_ras_mm) if header is None else _copied_header(header)
    filled.set_data_dtype(voxels.dtype)
    filled.set_slope_inter(1, 0)
    filled["cal_min"] = filled["cal_max"] = 0
    filled["intent_code"] = 0
    filled["vox_offset"] = 0  # nibabel fills it in; the input's may have made room for extensions
    image_class = nibabel.Nifti2Image if isinstance(filled, nibabel.Nifti2Header) else nibabel.Nifti1Image
    shape = filled.get_data_shape() if header is not None else voxels.shape
    # With no affine nibabel leaves qform, sform and their codes as they are in the header.
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
    # A qform has no place for shear; with code 0 it is not used.
    header.set_qform(affine_ras_mm, 0 if _is_sheared(affine_ras_mm) else _XFORM_SCANNER, strip_shears=True)
    return header


def _is_sheared(affine_ras_mm: np.ndarray) -> bool:
    directions = affine_ras_mm[:3, :3] / np.linalg.norm(affine_ras_mm[:3, :3], axis=0)
    return not np.allclose(directions.T @ directions, np.eye(3), atol=1e-5)


def _load(path: Path) -> Any:
    nibabel = _nibabel()
    return nibabel.load(path, mmap="r") if path.suffix.lower() == ".nii" else nibabel.load(path)


def _nibabel() -> Any:
    """nibabel, imported when a file is read: `sammed --help` needs no file."""
    import nibabel

    return nibabel


@contextmanager
def _silence() -> Iterator[None]:
    """Keep nibabel's remarks on repaired header fields from the user's terminal."""
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
    except (EOFError, zlib.error) as error:
        raise UnreadableVolumeError("it is cut short or damaged; copy or export it again") from error
    except (ImageFileError, HeaderDataError, OSError, ValueError) as error:
        raise UnreadableVolumeError("it is no whole NIfTI file; copy or export it again") from error
