"""DICOM: a folder with the files of a series, read with SimpleITK (GDCM) one slice at a time."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sammed_volumes.dicom_slices import DicomSlice, sort_slices, stack_affine
from sammed_volumes.errors import SeriesError, UnreadableVolumeError, UnsupportedVolumeError
from sammed_volumes.volume import Volume

_SERIES_UID, _SERIES_NUMBER, _DESCRIPTION, _MODALITY = "0020|000e", "0020|0011", "0008|103e", "0008|0060"
_POSITION = "0020|0032"
# Storage classes that are not images but may be in the same folder: presentation states, waveforms,
# registrations, structured reports, documents, radiotherapy plans and contours; and the directory of a CD.
_NO_IMAGE = re.compile(
    rb"1\.2\.840\.10008\.(5\.1\.4\.1\.1\.(11|9|66|88|104|481\.[3-9])(\.\d+)*|1\.3\.10)\x00"
)
_START_BYTES = 1024
_DICOM_SUFFIXES = (".dcm", ".ima")


@dataclass(frozen=True, slots=True)
class DicomSeries:
    """A series in a folder, described by the tags of its first file; `uid` identifies it."""

    uid: str
    number: str
    description: str


def find_series(folder: Path) -> tuple[DicomSeries, ...]:
    """Return the series in a folder (not in its subfolders), sorted by number, without reading voxels.

    Ignores color pictures and images without a position in the patient, such as reports. If the folder has
    damaged files and no series, returns one series without a UID: `read_series` then reports the damage.
    """
    found: dict[str, DicomSeries] = {}
    damaged = False
    with _silence():
        for path in filter(_may_be_dicom, _files(folder)):
            reader = _open_header(path)
            if reader is None:
                damaged = damaged or not _NO_IMAGE.search(_start_of(path))
            elif reader.GetNumberOfComponents() == 1 and _tag(reader, _POSITION):
                uid, number = _tag(reader, _SERIES_UID), _tag(reader, _SERIES_NUMBER)
                found.setdefault(uid, DicomSeries(uid, number, _tag(reader, _DESCRIPTION)))
    if damaged and not found:
        return (DicomSeries("", "", ""),)
    return tuple(sorted(found.values(), key=lambda each: (each.number.zfill(8), each.uid)))


def read_series(folder: Path, series: str | None = None) -> Volume:
    """Read one series of a folder: slices sorted by position, values rescaled as the files specify (CT: HU).

    `series` is a UID, or a number in the list that the error for a folder with several series shows. Raises
    SeriesError if the slices are not one even stack, UnreadableVolumeError for damaged files, and
    UnsupportedVolumeError for images that are not gray-value slices.
    """
    with _silence():
        slices = _choose(list(_scan(folder, series)), series)
        ordered = sort_slices(slices)
        voxels = _read_voxels(ordered)
    return Volume(voxels, stack_affine(ordered), path=folder, modality=ordered[0].modality or None)


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_file() and not path.name.startswith("."):
            yield path


def _may_be_dicom(path: Path) -> bool:
    """Whether a file may be DICOM, by its suffix or first bytes: cheap, since most files are not."""
    if path.suffix.lower() in _DICOM_SUFFIXES:
        return True
    return _start_of(path)[128:132] == b"DICM"


def _start_of(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_START_BYTES)


def _scan(folder: Path, series: str | None) -> Iterator[DicomSlice]:
    for path in _files(folder):
        header = _read_header(path, series)
        if header is not None:
            yield header


def _read_header(path: Path, series: str | None) -> DicomSlice | None:
    """Return the header of an image, or None for any other file; raises for an unusable image.

    If `series` is a UID, ignores unusable images of other series.
    """
    reader = _open_header(path)
    if reader is None:
        start = _start_of(path)
        if start[128:132] == b"DICM" and not _NO_IMAGE.search(start):
            raise UnreadableVolumeError(f"its file {path.name} is cut short or damaged; copy it again")
        return None
    if series is not None and "." in series and _tag(reader, _SERIES_UID) != series:
        return _elsewhere(reader, path)
    _check_single(reader, path)
    return _slice_of(reader, path)


def _elsewhere(reader: Any, path: Path) -> DicomSlice | None:
    """Return the header of an image of another series, or None if it is not a usable slice."""
    try:
        _check_single(reader, path)
        return _slice_of(reader, path)
    except UnsupportedVolumeError:
        return None


def _open_header(path: Path) -> Any:
    """Return SimpleITK's reader with the header of an image, or None if the file has none."""
    reader = _simpleitk().ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError:
        return None
    return reader


def _tag(reader: Any, key: str) -> str:
    return str(reader.GetMetaData(key)).strip("\0 ") if reader.HasMetaDataKey(key) else ""


def _check_single(reader: Any, path: Path) -> None:
    if reader.GetNumberOfComponents() != 1:
        raise UnsupportedVolumeError(
            f"its file {path.name} is a color picture; move it to another folder or use gray-value slices"
        )
    if len(reader.GetSize()) > 2 and reader.GetSize()[2] > 1:
        raise UnsupportedVolumeError(
            f"its file {path.name} contains several frames; convert it to .nii.gz first"
        )


def _slice_of(reader: Any, path: Path) -> DicomSlice:
    if not _tag(reader, _POSITION):
        raise UnsupportedVolumeError(
            f"its file {path.name} has no position in the patient; use a CT or MRI series"
        )
    width, height = reader.GetSize()[:2]
    x, y, z = reader.GetOrigin()[:3]
    direction = np.reshape(reader.GetDirection(), (3, 3))
    across, down, thickness = reader.GetSpacing()[:3]
    return DicomSlice(
        path=path,
        series=_tag(reader, _SERIES_UID),
        number=_tag(reader, _SERIES_NUMBER),
        description=_tag(reader, _DESCRIPTION),
        modality=_tag(reader, _MODALITY),
        shape=(width, height),
        position_lps_mm=(x, y, z),
        x_direction_lps=tuple(direction[:, 0].tolist()),
        y_direction_lps=tuple(direction[:, 1].tolist()),
        pixel_spacing_mm=(across, down),
        thickness_mm=thickness,
    )


def _choose(slices: Sequence[DicomSlice], series: str | None) -> list[DicomSlice]:
    groups: dict[str, list[DicomSlice]] = {}
    for each in slices:
        groups.setdefault(each.series, []).append(each)
    if not groups:
        raise UnreadableVolumeError(
            "it is a folder without DICOM images; use a file, or the folder of a series"
        )
    uids = sorted(groups, key=lambda uid: (groups[uid][0].number.zfill(8), uid))
    if series is None and len(uids) == 1:
        return groups[uids[0]]
    chosen = [
        uid for place, uid in enumerate(uids, start=1) if series is not None and series in (uid, str(place))
    ]
    if len(chosen) == 1:
        return groups[chosen[0]]
    listed = "; ".join(f"{place}: {_series_text(groups[uid])}" for place, uid in enumerate(uids, start=1))
    asked = "choose one by its number or UID"
    if series is not None:
        asked = f"there is no series {series!r}, {asked}"
    raise SeriesError(f"it contains {len(uids)} series ({listed}); {asked}")


def _series_text(slices: Sequence[DicomSlice]) -> str:
    first = slices[0]
    name = first.description or "without a description"
    return f"{first.modality} {name}, {len(slices)} slices, UID {first.series or 'missing'}"


def _read_voxels(ordered: Sequence[DicomSlice]) -> np.ndarray:
    """Read voxels X Y Z, first index fastest: 16-bit integers if all fit, else wider ones, else float32."""
    pages = [_read_page(each.path) for each in ordered]
    dtype = np.result_type(*{page.dtype for page in pages})
    voxels = np.empty((*pages[0].shape, len(pages)), dtype=dtype, order="F")
    for k in reversed(range(len(pages))):
        voxels[:, :, k] = pages.pop()  # frees a page's memory as soon as it is copied
    return voxels


def _read_page(path: Path) -> np.ndarray:
    """Read the real values of one file, X Y."""
    sitk = _simpleitk()
    try:
        image = sitk.ReadImage(str(path), imageIO="GDCMImageIO")
    except RuntimeError:
        raise UnreadableVolumeError(f"its file {path.name} is cut short or damaged; copy it again") from None
    page: np.ndarray = sitk.GetArrayFromImage(image).squeeze(axis=0).T  # 1 rows columns -> X Y
    if page.dtype.kind == "f":
        return page.astype(np.float32)
    # GDCM returns 32 bits if the rescaling might need them; hardly any volume does.
    limits = np.iinfo(np.int16)
    return page.astype(np.int16) if limits.min <= page.min() and page.max() <= limits.max else page


def _simpleitk() -> Any:
    """Import SimpleITK when a series is read: it takes a while."""
    import SimpleITK

    return SimpleITK


@contextmanager
def _silence() -> Iterator[None]:
    """Keep ITK's warnings off the user's terminal while a series is read."""
    sitk = _simpleitk()
    shown = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(shown)
