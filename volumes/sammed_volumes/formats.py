"""Formats: read and write volumes and label volumes, in the format that a path's suffix names.

The readers that this module calls state a fact ("it is cut short"); this module turns it into a sentence with
the file's name.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import numpy as np

from sammed_volumes.atomic_file import atomic_file
from sammed_volumes.dicom import read_series
from sammed_volumes.errors import OutputError, UnreadableVolumeError, UnsupportedVolumeError, VolumeError
from sammed_volumes.images import is_of_a_picture, read_picture, write_picture
from sammed_volumes.labels import Label, LabelVolume, check_same_grid, complete_labels, smallest_unsigned
from sammed_volumes.metaimage import itk_header, read_metaimage, write_metaimage
from sammed_volumes.nifti import read_nifti, write_nifti
from sammed_volumes.nrrd import read_nrrd, read_nrrd_image, write_nrrd
from sammed_volumes.segments import labels_of, merge_layers, pairs_of, segments_of
from sammed_volumes.sidecar import check_is_ours, read_sidecar, says_the_same, write_sidecar
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

WRITTEN_SUFFIXES = (*LABEL_SUFFIXES, PICTURE_LABEL_SUFFIX)
"""All suffixes that `write_labels` writes."""

_NRRD_SUFFIXES = (".seg.nrrd", ".nrrd", ".nhdr")
_PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")


def suffix_of(path: str | Path) -> str:
    """Return the suffix that names a path's format, in lower case, or "" if there is none.

    >>> suffix_of("scans/Anna.SEG.NRRD")
    '.seg.nrrd'
    """
    name = Path(path).name.lower()
    return next((suffix for suffix in VOLUME_SUFFIXES if name.endswith(suffix)), "")


def is_picture(path: str | Path) -> bool:
    """Whether a path's suffix names a picture, which is one slice without a position in a patient."""
    return suffix_of(path) in _PICTURE_SUFFIXES


def strip_suffix(path: str | Path) -> str:
    """Return a file's name without its folder and the suffix that names its format.

    >>> strip_suffix("scans/anna.v2.nii.gz")
    'anna.v2'
    """
    name = Path(path).name
    return name[: len(name) - len(suffix_of(name))]


def sidecar_path(path: str | Path) -> Path:
    """Return the path of the file with the label names, for formats that can't store them."""
    return Path(path).with_name(f"{strip_suffix(path)}.json")


def read_volume(path: str | Path, *, series: str | None = None) -> Volume:
    """Read a file, or a folder with a DICOM series; voxels stay as stored.

    `series` selects one of several series in a folder, by UID or by the number that the error lists.
    `Volume.non_finite_count` counts NaN and infinity. Raises VolumeError if the input is unreadable, 4-D,
    RGB or complex, or if its affine is singular.
    """
    path = Path(path)
    with _naming(path, "a volume"):
        _check_there(path)
        volume = read_series(path, series) if path.is_dir() else _READERS[_known_suffix(path)](path)
        return count_non_finite(volume)


def read_labels(path: str | Path, *, flatten: bool = False) -> LabelVolume:
    """Read a label volume from any file that `read_volume` reads; values stay as stored.

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
        suffix = _known_suffix(path)
        if suffix in _NRRD_SUFFIXES:
            return _read_nrrd_labels(path, flatten)
        reader = partial(read_picture, keep_indices=True) if is_picture(path) else _READERS[suffix]
        volume = reader(path)
        voxels = whole_numbers(volume)
        return _label_volume(voxels, volume.affine_ras_mm, read_sidecar(sidecar_path(path)), path)


def write_labels(
    labels: LabelVolume, path: str | Path, *, like: Volume, overwrite: bool = False
) -> tuple[Path, ...]:
    """Write labels on the grid of the volume `like`; return the paths of the label file and any sidecar.

    If both have the same format, the grid in the header is that of `like` bit for bit. The type is the
    smallest unsigned integer that fits every label. A file appears complete or not at all. Raises OutputError
    if a file exists and `overwrite` is False, if the system refuses, or if the suffix is .png but `like` is
    not a picture.
    """
    path = Path(path)
    suffix = suffix_of(path)
    if suffix not in WRITTEN_SUFFIXES:
        raise OutputError(
            f"{path} can't be written: its suffix is not one for labels; use {', '.join(LABEL_SUFFIXES)}."
        )
    check_same_grid(like, labels)
    voxels = _narrowed(labels)
    if suffix == PICTURE_LABEL_SUFFIX:
        _check_fits_picture(voxels, like, path)
    if suffix in _NRRD_SUFFIXES:
        with atomic_file(path, suffix, overwrite=overwrite) as unfinished:
            _write_voxels(voxels, unfinished, suffix, like, labels.labels)
        return (path,)
    return _write_with_sidecar(voxels, path, suffix, like, labels.labels, overwrite=overwrite)


def _write_with_sidecar(
    voxels: np.ndarray, path: Path, suffix: str, like: Volume, named: Sequence[Label], *, overwrite: bool
) -> tuple[Path, ...]:
    names_path = sidecar_path(path)
    if overwrite:
        check_is_ours(names_path)
    # The same labels in another format share the sidecar.
    may_replace = overwrite or says_the_same(names_path, named)
    with ExitStack() as files:
        # They close in reverse order: the names are in place before the labels.
        unfinished = files.enter_context(atomic_file(path, suffix, overwrite=overwrite))
        unfinished_names = files.enter_context(atomic_file(names_path, ".json", overwrite=may_replace))
        _write_voxels(voxels, unfinished, suffix, like, named)
        write_sidecar(named, unfinished_names)
    return path, names_path


def _write_voxels(voxels: np.ndarray, path: Path, suffix: str, like: Volume, named: Sequence[Label]) -> None:
    affine_ras_mm, header = like.affine_ras_mm, like.header
    if suffix in (".nii", ".nii.gz"):
        write_nifti(voxels, affine_ras_mm, path, header if isinstance(header, NiftiHeader) else None)
    elif suffix == PICTURE_LABEL_SUFFIX:
        write_picture(voxels, path)
    elif suffix == ".mha":
        write_metaimage(voxels, path, header if isinstance(header, ItkHeader) else itk_header(affine_ras_mm))
    else:
        nrrd_header = header if isinstance(header, NrrdHeader) else None
        write_nrrd(voxels, affine_ras_mm, path, nrrd_header, pairs_of(named, voxels.shape))


def _check_fits_picture(voxels: np.ndarray, like: Volume, path: Path) -> None:
    if not (voxels.shape[2] == 1 and is_of_a_picture(like.affine_ras_mm)):
        raise OutputError(
            f"{path} can't be written: a picture can't store the grid of a volume; use .nii.gz."
        )
    if voxels.dtype.itemsize > 2:
        raise OutputError(f"{path} can't be written: labels in a picture go up to 65535; use .nii.gz.")


def _read_nrrd_labels(path: Path, flatten: bool) -> LabelVolume:
    image = read_nrrd_image(path)
    segments = segments_of(image.pairs)
    if image.list_axis is not None and segments:
        layers = np.moveaxis(image.voxels, image.list_axis, 0)  # L X Y Z
        voxels, named = merge_layers(layers, segments, flatten=flatten)
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
    if path.suffix.lower() in (".dcm", ".ima"):
        raise UnsupportedVolumeError(
            "it is one file of a DICOM series; use the folder that contains the series"
        )
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
