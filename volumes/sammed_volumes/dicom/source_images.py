"""Source images: the headers of the series that labels refer to, as those who write labels need them."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sammed_volumes.dicom.archive import unpacked
from sammed_volumes.dicom.headers import damaged, items_of, number_of, quiet_pydicom, text_of
from sammed_volumes.errors import OutputError
from sammed_volumes.volume import DicomHeader, Volume

if TYPE_CHECKING:
    from pydicom import Dataset

PATIENT_AND_STUDY = (
    *("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber"),
    *("StudyID", "StudyDate", "StudyTime", "ReferringPhysicianName"),
)
"""Elements that labels repeat; `read_sources` makes them empty where they are missing or not valid."""

_UIDS = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")
_SHARED_UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")
_SEXES = ("M", "F", "O")


@dataclass(frozen=True, slots=True)
class SourceImages:
    """The headers of a series' files, without pixels, in the order of the slices.

    `slices` has for each slice along axis 2 its file's place in `headers` and its frame there, counted from
    0; None for a slice that the series lacks.
    """

    headers: tuple[Dataset, ...]
    slices: tuple[tuple[int, int] | None, ...]

    @property
    def frames(self) -> tuple[tuple[int, int], ...]:
        """The slices that exist."""
        return tuple(each for each in self.slices if each is not None)


def read_sources(like: Volume, what: str) -> SourceImages:
    """Read the headers that `what`, such as "a DICOM SEG", refers to.

    Raises OutputError if the volume is not a DICOM series, if a file is gone or damaged, or if a UID is empty
    or not the same in all slices, so that nothing can refer to them.
    """
    if not isinstance(like.header, DicomHeader):
        raise OutputError(
            f"{like.path or 'The volume'} is not a DICOM series, and {what} refers to one; use .nii.gz, or "
            "convert labels with --like DICOM_FOLDER."
        )
    known = [source for source in like.header.sources if source is not None]
    paths = list(dict.fromkeys(path for path, _ in known))
    archive = like.header.archive
    with quiet_pydicom(), unpacked(archive) if archive else nullcontext(Path()) as folder:
        headers = tuple(_read(folder / path) for path in paths)
    _check_uids(headers, like, what)
    places = {path: place for place, path in enumerate(paths)}
    return SourceImages(
        headers, tuple(source and (places[source[0]], source[1]) for source in like.header.sources)
    )


def is_of_many(header: Dataset) -> bool:
    """Whether a file holds frames that are described one by one."""
    return bool(items_of(header, "PerFrameFunctionalGroupsSequence"))


def thickness_mm(header: Dataset, like: Volume) -> float:
    """The thickness that a header states, else the distance of the volume's slices."""
    groups = [
        *items_of(header, "SharedFunctionalGroupsSequence"),
        *items_of(header, "PerFrameFunctionalGroupsSequence")[:1],
    ]
    holders = [header, *(part for group in groups for part in items_of(group, "PixelMeasuresSequence"))]
    stated = (number_of(each, "SliceThickness", 0.0) for each in holders)
    return next((each for each in stated if 0 < each < float("inf")), like.spacing_mm[2])


def _read(path: Path) -> Dataset:
    from pydicom import dcmread

    try:
        header = dcmread(path, stop_before_pixels=True)
    except OSError as error:
        raise OutputError(f"The source image {path} is gone or can't be read ({error.strerror}).") from None
    except Exception:  # pydicom raises whatever damaged bytes lead to
        raise damaged(path) from None
    for keyword in PATIENT_AND_STUDY:
        if not _is_valid(keyword, text_of(header, keyword)):
            setattr(header, keyword, None)
    return header


def _is_valid(keyword: str, text: str) -> bool:
    from pydicom.valuerep import DA, TM

    try:
        if keyword.endswith("Date"):
            return DA(text) is not None
        if keyword.endswith("Time"):
            return TM(text) is not None
    except ValueError:
        return False
    return text in _SEXES if keyword == "PatientSex" else bool(text)


def _check_uids(headers: tuple[Dataset, ...], like: Volume, what: str) -> None:
    empty = [keyword for keyword in _UIDS if not all(text_of(header, keyword) for header in headers)]
    if empty:
        raise OutputError(
            f"{like.path}: {what} refers to its images by UIDs, and this series has no "
            f"{' and no '.join(empty)}; use .nii.gz, or export the series with its UIDs."
        )
    differing = [key for key in _SHARED_UIDS if len({text_of(header, key) for header in headers}) > 1]
    if differing:
        raise OutputError(
            f"{like.path}: {what} refers to images of one study and frame of reference, and the slices "
            f"differ in {' and '.join(differing)}; use .nii.gz."
        )
