"""Series: the DICOM files of a folder as volumes.

Which series and sub-volume a user means is `sammed_volumes.dicom.choice`'s to find.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sammed_volumes.dicom.choice import DicomSeries as DicomSeries
from sammed_volumes.dicom.choice import choose, series_of, uid_of
from sammed_volumes.dicom.frame import DicomFrame
from sammed_volumes.dicom.frames import frames_of
from sammed_volumes.dicom.headers import (
    DICOM_SUFFIXES,
    damaged,
    files_in,
    is_image_class,
    is_marked,
    may_be_dicom,
    quiet_pydicom,
    read_header,
    start_of,
    text_of,
)
from sammed_volumes.dicom.pixels import PageReader, quiet_itk
from sammed_volumes.dicom.stack import sort_frames
from sammed_volumes.dicom.subvolumes import SubVolume, without_copies
from sammed_volumes.errors import UnreadableVolumeError, UnsupportedVolumeError
from sammed_volumes.volume import DicomHeader, Volume


def find_series(folder: Path) -> tuple[DicomSeries, ...]:
    """Return the series in a folder (not in its subfolders), sorted by number, without reading voxels.

    Ignores color pictures and images without a position in the patient, such as reports. If the folder has
    damaged files and no series, returns one series without a UID: `read_series` then reports the damage.
    """
    frames: list[DicomFrame] = []
    is_damaged = False
    with quiet():
        for path in filter(may_be_dicom, files_in(folder)):
            try:
                frames.extend(_read_file(path))
            except UnreadableVolumeError:
                is_damaged = True
            except UnsupportedVolumeError:
                continue
    if is_damaged and not frames:
        return (DicomSeries("", "", ""),)
    return series_of(frames)


def read_series(folder: Path, series: str | None = None, *, fill_gaps: bool = False) -> Volume:
    """Read one series of a folder: slices sorted by position, values rescaled as the files specify (CT: HU).

    `series` is a series number or a UID, with the number of a sub-volume if there are several; the error for
    a folder with several lists them. With `fill_gaps` missing slices have the lowest value, see
    `Volume.missing_slices`. Raises SeriesError if the slices are not one even stack, UnreadableVolumeError
    for damaged files, and UnsupportedVolumeError for images that are not gray-value slices.
    """
    with quiet():
        return _volume(_scan(files_in(folder), uid_of(series)), series, folder, fill_gaps=fill_gaps)


def read_file(path: Path, series: str | None = None, *, fill_gaps: bool = False) -> Volume:
    """Read the series that a file belongs to, from the file's folder; a multi-frame file is read alone."""
    with quiet():
        header = read_header(path)
        if header is None:
            raise UnreadableVolumeError("it is not a DICOM file; use a file of the scan")
        if not is_image_class(text_of(header, "SOPClassUID")):
            kind = getattr(header.SOPClassUID, "name", "")
            raise UnsupportedVolumeError(
                f"it is not an image but {kind or 'another DICOM object'}; use a file of the scan"
            )
        frames = frames_of(header, path)
        files: Iterable[Path] = [path] if frames[0].is_of_many else files_in(path.parent)
        scanned = _scan(files, frames[0].series)
        own = [each for each in scanned.frames if each.series == frames[0].series]
        return _volume(Scanned(own, scanned.odd), series, path, fill_gaps=fill_gaps)


@dataclass(frozen=True, slots=True)
class Scanned:
    """The content of a folder: frames, and what is wrong with images that are not usable as frames."""

    frames: list[DicomFrame]
    odd: list[str]


def _scan(files: Iterable[Path], uid: str | None) -> Scanned:
    """Read the headers of all files; ignores unusable images of other series than `uid`."""
    scanned = Scanned([], [])
    for path in files:
        try:
            scanned.frames.extend(_read_file(path))
        except UnsupportedVolumeError as error:
            header = read_header(path)
            if uid is None or text_of(header, "SeriesInstanceUID") == uid:
                scanned.odd.append(str(error))
    return scanned


def _read_file(path: Path) -> tuple[DicomFrame, ...]:
    """The frames in a file, none where it is no image."""
    header = read_header(path)
    if header is None and path.suffix.lower() in DICOM_SUFFIXES and not is_marked(start_of(path)):
        raise damaged(path)  # set aside, it would be a slice less
    if header is None or not is_image_class(text_of(header, "SOPClassUID")):
        return ()
    return frames_of(header, path)


def _volume(scanned: Scanned, series: str | None, path: Path, *, fill_gaps: bool) -> Volume:
    chosen, notes = _choose(scanned, series)
    reader = PageReader()
    frames, copies = without_copies(chosen, reader.digest)
    stack = sort_frames(frames, fill_gaps=fill_gaps)
    if copies:
        notes.append(f"{_files_text(copies)} set aside: an exact copy of another slice")
    sources = tuple(None if each is None else (each.path, each.index) for each in stack.slots)
    return Volume(
        reader.voxels(stack),
        stack.affine_ras_mm,
        header=DicomHeader(sources),
        path=path,
        modality=frames[0].modality or None,
        missing_slices=stack.missing,
        notes=(*notes, *stack.notes),
    )


def _choose(scanned: Scanned, text: str | None) -> tuple[tuple[DicomFrame, ...], list[str]]:
    """The frames of the sub-volume that is meant, and notes about what was set aside."""
    if not scanned.frames:
        if scanned.odd:
            raise UnsupportedVolumeError(scanned.odd[0])
        raise UnreadableVolumeError("it contains no DICOM images; use a file, or the folder of a series")
    series, wanted = choose(series_of(scanned.frames), text)
    notes = [f"set aside: {odd.partition('; ')[0]}" for odd in scanned.odd]
    if len(series.volumes) == 1 and wanted is series.sub_volumes[0]:
        notes += _set_aside(series, wanted)
    return wanted.frames, notes


def _set_aside(series: DicomSeries, chosen: SubVolume) -> list[str]:
    return [
        f"{_files_text(each.frames)} set aside: {each.name}; read it with --series {series.key_of(place)}"
        for place, each in enumerate(series.sub_volumes, start=1)
        if each is not chosen
    ]


def _files_text(frames: Sequence[DicomFrame]) -> str:
    others = len(frames) - 1
    return frames[0].text if not others else f"{frames[0].text} and {others} more"


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the warnings of the libraries from the user's terminal."""
    with quiet_itk(), quiet_pydicom():
        yield
