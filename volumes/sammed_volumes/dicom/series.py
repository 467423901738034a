"""Series: the DICOM files of a folder as volumes.

One series may hold several sub-volumes. A series is chosen by its UID or its number in the list that the
error gives, a sub-volume by its number after that: `3.2`, or `UID:2`.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
from sammed_volumes.dicom.subvolumes import SubVolume, split_series, without_copies
from sammed_volumes.errors import SeriesError, UnreadableVolumeError, UnsupportedVolumeError
from sammed_volumes.volume import DicomHeader, Volume

_NUMBERS = re.compile(r"(\d{1,5})(?:\.(\d{1,5}))?")


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
    is_damaged = False
    with quiet():
        for path in filter(may_be_dicom, files_in(folder)):
            try:
                header, frames = _read_file(path)
            except UnreadableVolumeError:
                is_damaged = True
            except UnsupportedVolumeError:
                continue
            else:
                if frames:
                    series = DicomSeries(frames[0].series, frames[0].number, frames[0].description)
                    found.setdefault(text_of(header, "SeriesInstanceUID"), series)
    if is_damaged and not found:
        return (DicomSeries("", "", ""),)
    return tuple(sorted(found.values(), key=lambda each: (each.number.zfill(8), each.uid)))


def read_series(folder: Path, series: str | None = None, *, fill_gaps: bool = False) -> Volume:
    """Read one series of a folder: slices sorted by position, values rescaled as the files specify (CT: HU).

    `series` is a UID, or a number in the list that the error for a folder with several series shows, with the
    number of a sub-volume if there are several. With `fill_gaps` missing slices have the lowest value, see
    `Volume.missing_slices`. Raises SeriesError if the slices are not one even stack, UnreadableVolumeError
    for damaged files, and UnsupportedVolumeError for images that are not gray-value slices.
    """
    with quiet():
        return _volume(_scan(files_in(folder), _uid_of(series)), series, folder, fill_gaps=fill_gaps)


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
            scanned.frames.extend(_read_file(path)[1])
        except UnsupportedVolumeError as error:
            header = read_header(path)
            if uid is None or text_of(header, "SeriesInstanceUID") == uid:
                scanned.odd.append(str(error))
    return scanned


def _read_file(path: Path) -> tuple[Any, tuple[DicomFrame, ...]]:
    """The header of a file and the frames in it, none where it is no image."""
    header = read_header(path)
    if header is None and path.suffix.lower() in DICOM_SUFFIXES and not is_marked(start_of(path)):
        raise damaged(path)  # set aside, it would be a slice less
    if header is None or not is_image_class(text_of(header, "SOPClassUID")):
        return header, ()
    return header, frames_of(header, path)


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


def _choose(scanned: Scanned, series: str | None) -> tuple[tuple[DicomFrame, ...], list[str]]:
    """The frames of the sub-volume that is meant, and notes about what was set aside."""
    groups: dict[str, list[DicomFrame]] = {}
    for each in scanned.frames:
        groups.setdefault(each.series, []).append(each)
    if not groups:
        if scanned.odd:
            raise UnsupportedVolumeError(scanned.odd[0])
        raise UnreadableVolumeError("it contains no DICOM images; use a file, or the folder of a series")
    uids = sorted(groups, key=lambda uid: (groups[uid][0].number.zfill(8), uid))
    parts = {uid: split_series(groups[uid]) for uid in uids}
    uid, number = _chosen(uids, series)
    wanted = _sub_volume(parts[uid], number) if uid is not None else None
    if uid is None or wanted is None:
        raise SeriesError(_listed(uids, groups, parts, series))
    notes = [f"set aside: {odd.partition('; ')[0]}" for odd in scanned.odd]
    notes += _set_aside(parts[uid], wanted, uids.index(uid) + 1) if number is None else []
    return wanted.frames, notes


def _chosen(uids: Sequence[str], series: str | None) -> tuple[str | None, int | None]:
    """Return the UID and the number of the sub-volume that `series` names; each None if it names none."""
    if series is None:
        return (uids[0] if len(uids) == 1 else None), None
    if series in uids:
        return series, None
    uid, _, part = series.rpartition(":")
    if uid in uids and part.isdecimal():
        return uid, int(part)
    match = _NUMBERS.fullmatch(series)
    if match is None or not 1 <= int(match[1]) <= len(uids):
        return None, None
    return uids[int(match[1]) - 1], int(match[2]) if match[2] else None


def _uid_of(series: str | None) -> str | None:
    """Return the UID that `series` names, or None if it is a number."""
    if series is None or _NUMBERS.fullmatch(series):
        return None
    return series.partition(":")[0]


def _sub_volume(parts: Sequence[SubVolume], number: int | None) -> SubVolume | None:
    """Return the sub-volume with a number, or without one the only sub-volume that is not odd."""
    if number is not None:
        return parts[number - 1] if 1 <= number <= len(parts) else None
    main = [each for each in parts if not each.is_odd]
    return main[0] if len(main) == 1 else None


def _set_aside(parts: Sequence[SubVolume], chosen: SubVolume, series: int) -> list[str]:
    return [
        f"{_files_text(each.frames)} set aside: {each.name}; read it with --series {series}.{place}"
        for place, each in enumerate(parts, start=1)
        if each is not chosen
    ]


def _files_text(frames: Sequence[DicomFrame]) -> str:
    others = len(frames) - 1
    return frames[0].text if not others else f"{frames[0].text} and {others} more"


def _listed(
    uids: Sequence[str],
    groups: dict[str, list[DicomFrame]],
    parts: dict[str, tuple[SubVolume, ...]],
    series: str | None,
) -> str:
    """The sentence that lists the series of a folder, and their sub-volumes."""
    listed = "; ".join(
        _series_text(place, groups[uid], parts[uid]) for place, uid in enumerate(uids, start=1)
    )
    count = f"{len(uids)} series"
    asked = "choose one with --series by its number in this list or its UID"
    is_known = series is None
    if len(uids) == 1:
        count = f"one series with {len(parts[uids[0]])} sub-volumes"
        asked = "choose one by its number in this list (--series 1.2)"
        is_known = is_known or series == uids[0]
    if not is_known:
        asked = f"there is no series {series!r}: {asked}"
    return f"it contains {count} ({listed}); {asked}"


def _series_text(place: int, frames: Sequence[DicomFrame], parts: Sequence[SubVolume]) -> str:
    first = frames[0]
    name = first.description or "without a description"
    text = f"{place}: {first.modality} {name}, {len(frames)} slices, UID {first.series or 'missing'}"
    if len(parts) == 1:
        return text
    return f"{text}: {', '.join(f'{place}.{k} ({part.text})' for k, part in enumerate(parts, start=1))}"


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the warnings of the libraries from the user's terminal."""
    with quiet_itk(), quiet_pydicom():
        yield
