"""Suffixes: the formats that file names state."""

from pathlib import Path

from sammed_volumes.dicom.archive import ARCHIVE_SUFFIX
from sammed_volumes.dicom.headers import DICOM_SUFFIXES

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
NRRD_SUFFIXES = (".seg.nrrd", ".nrrd", ".nhdr")
ANALYZE_SUFFIXES = (".hdr", ".img")

# A longer suffix precedes the shorter one that it ends in. An Analyze volume is listed once, by its header.
VOLUME_SUFFIXES = (".nii.gz", ".nii", *NRRD_SUFFIXES, ".mha", ".mhd", ".hdr", *PICTURE_SUFFIXES)
"""Suffixes of the files that `read_volume` and `read_labels` read, apart from those of DICOM."""

LABEL_SUFFIXES = (".nii.gz", ".nii", ".seg.nrrd", ".nrrd", ".mha")
"""Suffixes that `write_labels` writes, the default first."""

PICTURE_LABEL_SUFFIX = ".png"
"""Suffix that `write_labels` also writes, for the labels of a picture."""

DICOM_LABEL_SUFFIX = ".dcm"
"""Suffix that `write_labels` also writes, for the labels of a DICOM series: a DICOM SEG."""

CONTOURS_LABEL_SUFFIX = ".rtstruct.dcm"
"""Suffix that `write_labels` also writes, for the labels of a DICOM series: an RTSTRUCT."""

WRITTEN_SUFFIXES = (*LABEL_SUFFIXES, PICTURE_LABEL_SUFFIX, DICOM_LABEL_SUFFIX, CONTOURS_LABEL_SUFFIX)
"""All suffixes that `write_labels` writes."""

_OTHER_SUFFIXES = (CONTOURS_LABEL_SUFFIX, *DICOM_SUFFIXES, ARCHIVE_SUFFIX, ".img")


def suffix_of(path: str | Path) -> str:
    """Return the suffix that names a path's format, in lower case, or "" if there is none.

    >>> suffix_of("scans/Anna.SEG.NRRD")
    '.seg.nrrd'
    """
    name = Path(path).name.lower()
    return next((suffix for suffix in VOLUME_SUFFIXES if name.endswith(suffix)), "")


def label_suffix_of(path: str | Path) -> str:
    """Return the suffix that names the format of a label volume to write, or "" if none does."""
    name = Path(path).name.lower()
    of_dicom = (each for each in (CONTOURS_LABEL_SUFFIX, DICOM_LABEL_SUFFIX) if name.endswith(each))
    return next(of_dicom, suffix_of(path))


def is_picture(path: str | Path) -> bool:
    """Whether a path's suffix names a picture, which is one slice without a position in a patient."""
    return suffix_of(path) in PICTURE_SUFFIXES


def is_dicom(path: str | Path) -> bool:
    """Whether a path is a folder, or its suffix names a DICOM file or a zip archive of such files."""
    return Path(path).is_dir() or Path(path).suffix.lower() in (*DICOM_SUFFIXES, ARCHIVE_SUFFIX)


def strip_suffix(path: str | Path) -> str:
    """Return a file's name without its folder and the suffix that names its format.

    >>> strip_suffix("scans/anna.v2.nii.gz")
    'anna.v2'
    """
    name = Path(path).name
    suffix = suffix_of(name) or next((each for each in _OTHER_SUFFIXES if name.lower().endswith(each)), "")
    return name[: len(name) - len(suffix)]


def sidecar_path(path: str | Path) -> Path:
    """Return the path of the file with the label names, for formats that can't store them."""
    return Path(path).with_name(f"{strip_suffix(path)}.json")
