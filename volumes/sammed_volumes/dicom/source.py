"""Sources: what a path means that is a folder of DICOM files, one of them, or an archive of them."""

from dataclasses import replace
from pathlib import Path

from sammed_volumes.dicom.archive import ARCHIVE_SUFFIX, unpacked
from sammed_volumes.dicom.contours import drawn_on, read_contours
from sammed_volumes.dicom.headers import (
    CONTOURS_CLASS,
    SEGMENTATION_CLASSES,
    may_be_dicom,
    quiet_pydicom,
    read_header,
    text_of,
)
from sammed_volumes.dicom.masks import PlacedLabels
from sammed_volumes.dicom.segmentation import read_segmentation
from sammed_volumes.dicom.series import find_series, read_file, read_series
from sammed_volumes.errors import UnreadableVolumeError
from sammed_volumes.grid import VoxelGrid
from sammed_volumes.suffixes import suffix_of
from sammed_volumes.volume import DicomHeader, Volume


def read_dicom(path: Path, series: str | None = None, *, fill_gaps: bool = False) -> Volume:
    """Read a series from a folder, from the folder of one of its files, or from a zip archive."""
    if path.is_dir():
        return read_series(path, series, fill_gaps=fill_gaps)
    if path.suffix.lower() != ARCHIVE_SUFFIX:
        return read_file(path, series, fill_gaps=fill_gaps)
    with unpacked(path) as folder:
        volume = read_series(folder, series, fill_gaps=fill_gaps)
    return replace(volume, path=path, header=_in_archive(volume.header, path))


def is_dicom_file(path: Path) -> bool:
    """Whether a file is DICOM by its suffix, or by its first bytes if the suffix is no other format's."""
    return path.is_file() and not suffix_of(path) and may_be_dicom(path)


def is_dicom_labels(path: Path) -> bool:
    """Whether a file is a DICOM SEG or an RTSTRUCT."""
    return is_dicom_file(path) and bool(_labels_class(path))


def read_dicom_labels(path: Path, like: VoxelGrid | None = None, *, flatten: bool = False) -> PlacedLabels:
    """Read a DICOM SEG, or an RTSTRUCT on the grid `like`.

    Without a grid, the contours of an RTSTRUCT are filled on the one that it notes, as sammed's files do, or
    on its image series in the same folder.
    """
    kind = _labels_class(path)
    if kind == "":
        raise UnreadableVolumeError("it is neither a DICOM SEG nor an RTSTRUCT; use a file of labels")
    if kind == CONTOURS_CLASS:
        return read_contours(path, like or _own_grid(path), flatten=flatten)
    return read_segmentation(path, flatten=flatten)


def _labels_class(path: Path) -> str:
    """The storage class of a file of labels, "" for any other."""
    with quiet_pydicom():
        try:
            uid = text_of(read_header(path) or {}, "SOPClassUID")
        except UnreadableVolumeError:
            return ""
    return uid if uid in (*SEGMENTATION_CLASSES, CONTOURS_CLASS) else ""


def _own_grid(path: Path) -> VoxelGrid:
    """The grid of the series that an RTSTRUCT was drawn on: its own note, or the series in its folder."""
    found = drawn_on(path)
    if isinstance(found, VoxelGrid):
        return found
    for each in find_series(path.parent):
        if each.uid in found:
            return read_series(path.parent, each.uid).grid
    raise UnreadableVolumeError(
        "its contours need the image that they were drawn on, which is not in the same folder; "
        "name the image, or move the file to the folder of the series"
    )


def _in_archive(header: object, archive: Path) -> DicomHeader:
    """The header with names in the archive in place of paths that are gone."""
    assert isinstance(header, DicomHeader)
    sources = [source and (Path(source[0].name), source[1]) for source in header.sources]
    return DicomHeader(tuple(sources), archive)
