"""Formats: read and write volumes and label volumes, in the format that a path's suffix names.

The readers that this module calls state a fact ("it is cut short"); this module turns it into a sentence with
the file's name.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from sammed_volumes.atomic_file import atomic_file
from sammed_volumes.dicom.archive import ARCHIVE_SUFFIX
from sammed_volumes.dicom.headers import DICOM_SUFFIXES
from sammed_volumes.dicom.segmentation_writing import SegmentDetails, write_segmentation
from sammed_volumes.dicom.source import read_dicom, read_dicom_labels
from sammed_volumes.errors import OutputError, UnreadableVolumeError, UnsupportedVolumeError, VolumeError
from sammed_volumes.grid import VoxelGrid
from sammed_volumes.images import is_of_a_picture, read_picture, write_picture
from sammed_volumes.labels import Label, LabelVolume, check_same_grid, complete_labels, smallest_unsigned
from sammed_volumes.metaimage import itk_header, read_metaimage, write_metaimage
from sammed_volumes.nifti import read_nifti, write_nifti
from sammed_volumes.nrrd import NrrdImage, read_nrrd, read_nrrd_image, write_nrrd
from sammed_volumes.segments import labels_of, merge_layers, pairs_of, segments_in, segments_of
from sammed_volumes.sidecar import (
    RESAMPLED,
    RESAMPLING_METHOD,
    check_is_ours,
    is_resampled,
    read_sidecar,
    says_the_same,
    write_sidecar,
)
from sammed_volumes.volume import ItkHeader, NiftiHeader, NrrdHeader, Volume, count_non_finite
from sammed_volumes.whole_numbers import whole_numbers

# A longer suffix precedes the shorter one that it ends in.
_READERS: dict[str, Callable[[Path], Volume]] = {
    ".nii.gz": read_nifti,
    ".nii": read_nifti,
    ".seg.nrrd": read_nrrd,
    ".nrrd": read_nrrd,
    ".nhdr": read_nrrd,
    ".mha": read_metaimage,
    ".mhd": read_metaimage,
    ".png": read_picture,
    ".jpg": read_picture,
    ".jpeg": read_picture,
    ".tif": read_picture,
    ".tiff": read_picture,
}

VOLUME_SUFFIXES = tuple(_READERS)
"""Suffixes that `read_volume` and `read_labels` read; `read_volume` also reads a folder as a DICOM series."""

LABEL_SUFFIXES = (".nii.gz", ".nii", ".seg.nrrd", ".nrrd", ".mha")
"""Suffixes that `write_labels` writes, the default first."""

PICTURE_LABEL_SUFFIX = ".png"
"""Suffix that `write_labels` also writes, for the labels of a picture."""

DICOM_LABEL_SUFFIX = ".dcm"
"""Suffix that `write_labels` also writes, for the labels of a DICOM series: a DICOM SEG."""

WRITTEN_SUFFIXES = (*LABEL_SUFFIXES, PICTURE_LABEL_SUFFIX, DICOM_LABEL_SUFFIX)
"""All suffixes that `write_labels` writes."""

_DETAILS = SegmentDetails()
_NRRD_SUFFIXES = (".seg.nrrd", ".nrrd", ".nhdr")
_DICOM_SUFFIXES = (*DICOM_SUFFIXES, ARCHIVE_SUFFIX)
_PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")


def suffix_of(path: str | Path) -> str:
    """Return the suffix that names a path's format, in lower case, or "" if there is none.

    >>> suffix_of("scans/Anna.SEG.NRRD")
    '.seg.nrrd'
    """
    name = Path(path).name.lower()
    return next((suffix for suffix in VOLUME_SUFFIXES if name.endswith(suffix)), "")


def label_suffix_of(path: str | Path) -> str:
    """Return the suffix that names the format of a label volume to write, or "" if none does."""
    return DICOM_LABEL_SUFFIX if Path(path).suffix.lower() == DICOM_LABEL_SUFFIX else suffix_of(path)


def is_picture(path: str | Path) -> bool:
    """Whether a path's suffix names a picture, which is one slice without a position in a patient."""
    return suffix_of(path) in _PICTURE_SUFFIXES


def is_dicom(path: str | Path) -> bool:
    """Whether a path is a folder, or its suffix names a DICOM file or a zip archive of such files."""
    return Path(path).is_dir() or Path(path).suffix.lower() in _DICOM_SUFFIXES


def strip_suffix(path: str | Path) -> str:
    """Return a file's name without its folder and the suffix that names its format.

    >>> strip_suffix("scans/anna.v2.nii.gz")
    'anna.v2'
    """
    name = Path(path).name
    suffix = suffix_of(name) or next((each for each in _DICOM_SUFFIXES if name.lower().endswith(each)), "")
    return name[: len(name) - len(suffix)]


def sidecar_path(path: str | Path) -> Path:
    """Return the path of the file with the label names, for formats that can't store them."""
    return Path(path).with_name(f"{strip_suffix(path)}.json")


def read_volume(path: str | Path, *, series: str | None = None, fill_gaps: bool = False) -> Volume:
    """Read a file, or a DICOM series: its folder, one of its files, a zip archive; voxels stay as stored.

    `series` selects one of several series, by UID or by the number that the error lists. `fill_gaps` fills
    slices that a series lacks with its lowest value, see `Volume.missing_slices`. `Volume.non_finite_count`
    counts NaN and infinity. Raises VolumeError if the input is unreadable, 4-D, RGB or complex, or if its
    affine is singular.
    """
    path = Path(path)
    with _naming(path, "a volume"):
        _check_there(path)
        if is_dicom(path):
            volume = read_dicom(path, series, fill_gaps=fill_gaps)
        else:
            volume = _READERS[_known_suffix(path)](path)
        return count_non_finite(volume)


def read_labels(path: str | Path, *, flatten: bool = False, like: VoxelGrid | None = None) -> LabelVolume:
    """Read a label volume from any file that `read_volume` reads, a DICOM SEG or an RTSTRUCT.

    Values stay as stored. `like` is the grid on which the contours of an RTSTRUCT are filled; other files
    have a grid of their own.

    Names and colors come from the segments of a NRRD file, else from a JSON file next to the labels, else
    are `label_<value>`. Where segments overlap, the later one wins with `flatten`; otherwise raises
    LabelError. Also raises LabelError for fractional and negative values. A volume without any label is
    valid (`LabelVolume.is_empty`).
    """
    path = Path(path)
    with _naming(path, "labels"):
        _check_there(path)
        if path.is_dir():
            raise UnreadableVolumeError("it is a folder; use a file")
        if is_dicom(path):
            placed = read_dicom_labels(path, like, flatten=flatten)
            return LabelVolume(placed.voxels, placed.affine_ras_mm, placed.labels, path)
        suffix = _known_suffix(path)
        if suffix in _NRRD_SUFFIXES:
            image = read_nrrd_image(path)
            found = _labels_in_nrrd(image, path, flatten)
            return replace(found, resampled=RESAMPLED in image.pairs)
        reader = partial(read_picture, keep_indices=True) if is_picture(path) else _READERS[suffix]
        volume = reader(path)
        voxels = whole_numbers(volume)
        names_path = sidecar_path(path)
        found = _label_volume(voxels, volume.affine_ras_mm, read_sidecar(names_path), path)
        return replace(found, resampled=is_resampled(names_path))


def write_labels(
    labels: LabelVolume,
    path: str | Path,
    *,
    like: Volume,
    overwrite: bool = False,
    details: SegmentDetails = _DETAILS,
) -> tuple[Path, ...]:
    """Write labels on the grid of the volume `like`; return the paths of the label file and any sidecar.

    If both have the same format, the grid in the header is that of `like` bit for bit. The type is the
    smallest unsigned integer that fits every label. A DICOM SEG also has `details`. A file appears complete
    or not at all. Raises OutputError if a file exists and `overwrite` is False, if the system refuses, or if
    `like` is not a picture for .png, not a DICOM series for .dcm.
    """
    path = Path(path)
    suffix = label_suffix_of(path)
    if suffix not in WRITTEN_SUFFIXES:
        raise OutputError(
            f"{path} can't be written: its suffix is not one for labels; use {', '.join(LABEL_SUFFIXES)}."
        )
    check_same_grid(like, labels)
    voxels = _narrowed(labels)
    if suffix == PICTURE_LABEL_SUFFIX:
        _check_fits_picture(voxels, like, path)
    if suffix == DICOM_LABEL_SUFFIX:
        with atomic_file(path, suffix, overwrite=overwrite) as unfinished:
            write_segmentation(voxels, labels.labels, unfinished, like=like, details=details)
        return (path,)
    if suffix in _NRRD_SUFFIXES:
        with atomic_file(path, suffix, overwrite=overwrite) as unfinished:
            _write_voxels(voxels, unfinished, suffix, like, labels)
        return (path,)
    return _write_with_sidecar(voxels, path, suffix, like, labels, overwrite=overwrite)


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


def _labels_in_nrrd(image: NrrdImage, path: Path, flatten: bool) -> LabelVolume:
    segments = segments_of(image.pairs)
    if image.list_axis is not None:
        layers = np.moveaxis(image.voxels, image.list_axis, 0)  # L X Y Z
        declared = segments or (segments_in(layers) if image.list_axis == 0 else ())
        if declared:
            voxels, named = merge_layers(layers, declared, flatten=flatten)
            return _label_volume(voxels, image.affine_ras_mm, named, path)
    volume = image.as_volume(path)
    named = labels_of(segments) or read_sidecar(sidecar_path(path))
    return _label_volume(whole_numbers(volume), volume.affine_ras_mm, named, path)


def _label_volume(
    voxels: np.ndarray, affine_ras_mm: np.ndarray, named: Sequence[Label], path: Path
) -> LabelVolume:
    return LabelVolume(voxels, affine_ras_mm, complete_labels(voxels, named), path)


def _narrowed(labels: LabelVolume) -> np.ndarray:
    highest = max([int(labels.voxels.max()), *(label.value for label in labels.labels)])
    return labels.voxels.astype(smallest_unsigned(highest).newbyteorder("<"), copy=False)


def _check_there(path: Path) -> None:
    if not path.exists():
        raise UnreadableVolumeError("there is no such file or folder")
    if path.is_file() and path.stat().st_size == 0:
        raise UnreadableVolumeError("it is empty (0 bytes); copy or export it again")


def _known_suffix(path: Path) -> str:
    suffix = suffix_of(path)
    if suffix:
        return suffix
    raise UnsupportedVolumeError(
        f"its suffix is not one of {', '.join(VOLUME_SUFFIXES)}; rename or convert it"
    )


@contextmanager
def _naming(path: Path, what: str) -> Iterator[None]:
    """Turn the fact that a reader states into a sentence with the file's name."""
    try:
        yield
    except VolumeError as error:
        raise type(error)(f"{path} can't be read as {what}: {str(error).removesuffix('.')}.") from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise UnreadableVolumeError(f"{path} can't be read as {what}: {reason}.") from error
