"""Formats: read and write volumes and label volumes, in the format that a path's suffix names.

The readers that this module calls state a fact ("it is cut short"); this module turns it into a sentence with
the file's name.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from sammed_volumes.atomic_file import atomic_file
from sammed_volumes.dicom.contours_writing import check_can_hold_contours, write_contours
from sammed_volumes.dicom.details import LabelDetails
from sammed_volumes.dicom.segmentation_writing import check_can_hold_labels, write_segmentation
from sammed_volumes.dicom.source import is_dicom_file, read_dicom, read_dicom_labels
from sammed_volumes.errors import OutputError, UnreadableVolumeError, VolumeError
from sammed_volumes.grid import VoxelGrid
from sammed_volumes.images import Spacing, is_of_a_picture, write_picture
from sammed_volumes.labels import LabelVolume, check_same_grid, smallest_unsigned
from sammed_volumes.metaimage import itk_header, write_metaimage
from sammed_volumes.nifti import write_nifti
from sammed_volumes.nrrd import write_nrrd
from sammed_volumes.picture_folder import is_stack
from sammed_volumes.reading import check_unspaced, read_image, read_label_file, suffix_note
from sammed_volumes.reading import spacings_of as spacings_of
from sammed_volumes.segments import pairs_of
from sammed_volumes.sidecar import (
    RESAMPLED,
    RESAMPLING_METHOD,
    check_is_ours,
    is_resampled,
    says_the_same,
    write_sidecar,
)
from sammed_volumes.suffixes import CONTOURS_LABEL_SUFFIX as CONTOURS_LABEL_SUFFIX
from sammed_volumes.suffixes import DICOM_LABEL_SUFFIX as DICOM_LABEL_SUFFIX
from sammed_volumes.suffixes import LABEL_SUFFIXES as LABEL_SUFFIXES
from sammed_volumes.suffixes import NRRD_SUFFIXES
from sammed_volumes.suffixes import PICTURE_LABEL_SUFFIX as PICTURE_LABEL_SUFFIX
from sammed_volumes.suffixes import VOLUME_SUFFIXES as VOLUME_SUFFIXES
from sammed_volumes.suffixes import WRITTEN_SUFFIXES as WRITTEN_SUFFIXES
from sammed_volumes.suffixes import is_dicom as is_dicom
from sammed_volumes.suffixes import is_picture as is_picture
from sammed_volumes.suffixes import label_suffix_of as label_suffix_of
from sammed_volumes.suffixes import sidecar_path as sidecar_path
from sammed_volumes.suffixes import strip_suffix as strip_suffix
from sammed_volumes.suffixes import suffix_of as suffix_of
from sammed_volumes.volume import ItkHeader, NiftiHeader, NrrdHeader, Volume, count_non_finite

_DETAILS = LabelDetails()
_DICOM_WRITERS = {DICOM_LABEL_SUFFIX: write_segmentation, CONTOURS_LABEL_SUFFIX: write_contours}


def read_volume(
    path: str | Path,
    *,
    series: str | None = None,
    fill_gaps: bool = False,
    spacing_mm: Spacing | None = None,
) -> Volume:
    """Read a file, a folder of numbered pictures, or a DICOM series; voxels stay as stored.

    A DICOM series is named by its folder, one of its files or a zip archive. `series` selects one of several,
    by series number or UID; the error lists them. `fill_gaps` fills slices that a series lacks with its
    lowest value, see `Volume.missing_slices`. `spacing_mm` is X, Y, Z of pictures.

    A file is read by its content; `Volume.notes` states if its suffix is another's or says
    nothing.
    `Volume.non_finite_count` counts NaN and infinity. Raises VolumeError if the input is unreadable, 4-D, RGB
    or complex, or if its affine is singular.
    """
    path = Path(path)
    with _naming(path, "a volume"):
        _check_there(path)
        if (is_dicom(path) or is_dicom_file(path)) and not is_stack(path):
            check_unspaced(spacing_mm)
            volume = read_dicom(path, series, fill_gaps=fill_gaps)
            if not is_dicom(path):
                volume = replace(volume, notes=(suffix_note(path, "a DICOM file"), *volume.notes))
        else:
            volume = read_image(path, spacing_mm)
        return count_non_finite(volume)


def read_labels(
    path: str | Path,
    *,
    flatten: bool = False,
    colors: bool = False,
    spacing_mm: Spacing | None = None,
    like: VoxelGrid | None = None,
) -> LabelVolume:
    """Read a label volume from anything that `read_volume` reads, a DICOM SEG or an RTSTRUCT.

    Values stay as stored, except for floats within 1e-3 of whole numbers and masks of 0 and 255 that JPEG or
    smoothing changed; `LabelVolume.notes` states what was. `colors` makes each color of a picture a label.
    `like` is the grid on which the contours of an RTSTRUCT are filled, and whose spacing a picture without a
    spacing of its own (`spacing_mm`, X, Y, Z) has; other files have a grid of their own.

    Names and colors come from the segments of a NRRD file, else from a JSON file next to the labels, else
    are `label_<value>`. Where segments overlap, the later one wins with `flatten`; otherwise raises
    LabelError. Also raises LabelError for fractional and negative values. A volume without any label is
    valid (`LabelVolume.is_empty`).
    """
    path = Path(path)
    with _naming(path, "labels"):
        _check_there(path)
        if path.is_dir() and not is_stack(path):
            raise UnreadableVolumeError("it is a folder; use a file")
        if path.is_file() and (is_dicom(path) or is_dicom_file(path)):
            placed = read_dicom_labels(path, like, flatten=flatten)
            notes = () if is_dicom(path) else (suffix_note(path, "a DICOM file"),)
            return LabelVolume(placed.voxels, placed.affine_ras_mm, placed.labels, path, notes=notes)
        found = read_label_file(path, flatten=flatten, colors=colors, spacing_mm=spacing_mm, like=like)
        return replace(found, path=path)


def write_labels(
    labels: LabelVolume,
    path: str | Path,
    *,
    like: Volume,
    overwrite: bool = False,
    details: LabelDetails = _DETAILS,
) -> tuple[Path, ...]:
    """Write labels on the grid of the volume `like`; return the paths of the label file and any sidecar.

    If both have the same format, the grid in the header is that of `like` bit for bit. The type is the
    smallest unsigned integer that fits every label. A DICOM SEG and an RTSTRUCT also state
    `details`. A file appears complete or not at all. Raises OutputError if a file exists and `overwrite` is
    False, if the system refuses, or if `like` is not a picture for .png, not a DICOM series for .dcm.
    """
    path = Path(path)
    suffix = label_suffix_of(path)
    if suffix not in WRITTEN_SUFFIXES:
        raise OutputError(
            f"{path} can't be written: its suffix is not one for labels; use {', '.join(WRITTEN_SUFFIXES)}."
        )
    check_same_grid(like, labels)
    voxels = _narrowed(labels)
    if suffix == PICTURE_LABEL_SUFFIX:
        _check_fits_picture(voxels, like, path)
    if write := _DICOM_WRITERS.get(suffix):
        with atomic_file(path, suffix, overwrite=overwrite) as unfinished:
            write(voxels, labels.labels, unfinished, like=like, details=details)
        return (path,)
    if suffix in NRRD_SUFFIXES:
        with atomic_file(path, suffix, overwrite=overwrite) as unfinished:
            _write_voxels(voxels, unfinished, suffix, like, labels)
        return (path,)
    return _write_with_sidecar(voxels, path, suffix, like, labels, overwrite=overwrite)


def check_can_hold(path: Path, like: Volume) -> None:
    """Raise OutputError if a DICOM file at `path` could not hold labels of a volume, before they are made."""
    suffix = label_suffix_of(path)
    if suffix == DICOM_LABEL_SUFFIX:
        check_can_hold_labels(like)
    elif suffix == CONTOURS_LABEL_SUFFIX:
        check_can_hold_contours(like)


def _write_with_sidecar(
    voxels: np.ndarray, path: Path, suffix: str, like: Volume, labels: LabelVolume, *, overwrite: bool
) -> tuple[Path, ...]:
    names_path = sidecar_path(path)
    if overwrite:
        check_is_ours(names_path)
    # The same labels in another format share the sidecar.
    is_shared = says_the_same(names_path, labels.labels) and is_resampled(names_path) == labels.resampled
    may_replace = overwrite or is_shared
    with ExitStack() as files:
        # They close in reverse order: the names are in place before the labels.
        unfinished = files.enter_context(atomic_file(path, suffix, overwrite=overwrite))
        unfinished_names = files.enter_context(atomic_file(names_path, ".json", overwrite=may_replace))
        _write_voxels(voxels, unfinished, suffix, like, labels)
        write_sidecar(labels.labels, unfinished_names, resampled=labels.resampled)
    return path, names_path


def _write_voxels(voxels: np.ndarray, path: Path, suffix: str, like: Volume, labels: LabelVolume) -> None:
    affine_ras_mm, header = like.affine_ras_mm, like.header
    if suffix in (".nii", ".nii.gz"):
        write_nifti(voxels, affine_ras_mm, path, header if isinstance(header, NiftiHeader) else None)
    elif suffix == PICTURE_LABEL_SUFFIX:
        write_picture(voxels, path)
    elif suffix == ".mha":
        write_metaimage(voxels, path, header if isinstance(header, ItkHeader) else itk_header(affine_ras_mm))
    else:
        nrrd_header = header if isinstance(header, NrrdHeader) else None
        pairs = pairs_of(labels.labels, voxels.shape)
        if labels.resampled:
            pairs[RESAMPLED] = RESAMPLING_METHOD
        write_nrrd(voxels, affine_ras_mm, path, nrrd_header, pairs)


def _check_fits_picture(voxels: np.ndarray, like: Volume, path: Path) -> None:
    if not (voxels.shape[2] == 1 and is_of_a_picture(like.affine_ras_mm)):
        raise OutputError(
            f"{path} can't be written: a picture can't store the grid of a volume; use .nii.gz."
        )
    if voxels.dtype.itemsize > 2:
        raise OutputError(f"{path} can't be written: labels in a picture go up to 65535; use .nii.gz.")


def _narrowed(labels: LabelVolume) -> np.ndarray:
    highest = max([int(labels.voxels.max()), *(label.value for label in labels.labels)])
    return labels.voxels.astype(smallest_unsigned(highest).newbyteorder("<"), copy=False)


def _check_there(path: Path) -> None:
    if not path.exists():
        raise UnreadableVolumeError("there is no such file or folder; check its name")
    if path.is_file() and path.stat().st_size == 0:
        raise UnreadableVolumeError("it is empty (0 bytes); copy or export it again")


@contextmanager
def _naming(path: Path, what: str) -> Iterator[None]:
    """Turn the fact that a reader states into a sentence with the file's name."""
    try:
        yield
    except VolumeError as error:
        fact = _printable(str(error)).removesuffix(".")
        raise type(error)(f"{path} can't be read as {what}: {fact}.") from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise UnreadableVolumeError(f"{path} can't be read as {what}: {reason}; {_remedy(error)}.") from error


def _remedy(error: OSError) -> str:
    return "change its permissions" if isinstance(error, PermissionError) else "check its drive or copy it"


def _printable(text: str) -> str:
    """Text that a damaged file may be quoted in, on one line and without a terminal's control characters."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
