"""Choice: the series of a folder, and which of them, or of their sub-volumes, a user means.

A series is chosen by its UID or its key. The key is the series number, as viewers show it. Where several
series of the folder have one number, or none, their keys are their UIDs; a series that is alone without a
number is 1. A sub-volume is chosen by its place in the list that the error gives: `4.2` after a number,
`UID:2` after a UID.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sammed_volumes.dicom.frame import DicomFrame
from sammed_volumes.dicom.subvolumes import SubVolume, split_series
from sammed_volumes.errors import SeriesError

_NUMBERS = re.compile(r"(-?\d{1,12})(?:\.(\d{1,5}))?")
_ALONE = "1"
_EMPTY = '""'  # as a shell takes it


@dataclass(frozen=True, slots=True)
class DicomSeries:
    """A series of a folder, described by the tags of its first file.

    `uid` identifies it; `key` is what a user types. `sub_volumes` are its parts, those that are odd last.
    """

    uid: str
    number: str
    description: str
    modality: str = ""
    key: str = _ALONE
    sub_volumes: tuple[SubVolume, ...] = ()

    @property
    def volumes(self) -> tuple[int, ...]:
        """The numbers of the sub-volumes that are no odd frames: several only where a user must choose."""
        return tuple(place for place, each in enumerate(self.sub_volumes, start=1) if not each.is_odd)

    def key_of(self, sub_volume: int) -> str:
        """What a user types for a sub-volume."""
        return f"{self.key}:{sub_volume}" if self.key == self.uid else f"{self.key}.{sub_volume}"

    @property
    def text(self) -> str:
        """The key, what the series is, and its sub-volumes if there are several."""
        head, more = f"series {self.key}", f"UID {self.uid or 'missing'}"
        if self.key == self.uid:
            head, more = f"UID {self.uid or _EMPTY}", f"series number {self.number or 'missing'}"
        count = sum(len(each.frames) for each in self.sub_volumes)
        text = (
            f"{head}: {self.modality} {self.description or 'without a description'}, {count} slices, {more}"
        )
        if len(self.sub_volumes) == 1:
            return text
        listed = (f"{self.key_of(k)} ({part.text})" for k, part in enumerate(self.sub_volumes, start=1))
        return f"{text}: {', '.join(listed)}"


def series_of(frames: Sequence[DicomFrame]) -> tuple[DicomSeries, ...]:
    """The series that frames belong to, sorted by number."""
    groups: dict[str, list[DicomFrame]] = {}
    for each in frames:
        groups.setdefault(each.series, []).append(each)
    numbers = {uid: _plain(group[0].number) for uid, group in groups.items()}
    uses = Counter(numbers.values())
    found = [
        DicomSeries(
            uid,
            numbers[uid],
            group[0].description,
            group[0].modality,
            _key(uid, numbers[uid], uses[numbers[uid]], len(groups)),
            split_series(group),
        )
        for uid, group in groups.items()
    ]
    return tuple(sorted(found, key=lambda each: (each.number.zfill(12), each.uid)))


def choose(found: Sequence[DicomSeries], text: str | None) -> tuple[DicomSeries, SubVolume]:
    """The series and the sub-volume that `text` means, None the only one; SeriesError, which lists them."""
    series, number = _meant(found, text)
    wanted = None if series is None else _sub_volume(series, number)
    if series is None or wanted is None:
        raise SeriesError(_listed(found, text))
    return series, wanted


def uid_of(text: str | None) -> str | None:
    """The UID in what a user typed, None for a number and for nothing."""
    if text is None or _NUMBERS.fullmatch(text):
        return None
    return text.partition(":")[0]


def _plain(number: str) -> str:
    """A series number without leading zeros and the like, "" for one that is none."""
    try:
        return str(int(number))
    except ValueError:
        return ""


def _key(uid: str, number: str, uses: int, count: int) -> str:
    if number and uses == 1:
        return number
    return _ALONE if count == 1 else uid


def _meant(found: Sequence[DicomSeries], text: str | None) -> tuple[DicomSeries | None, int | None]:
    """The series, and the number of the sub-volume; each None if the text names none."""
    if text is None:
        return (found[0] if len(found) == 1 else None), None
    by_uid = {each.uid: each for each in found}
    if text in by_uid:
        return by_uid[text], None
    uid, _, part = text.rpartition(":")
    if uid in by_uid and part.isdecimal():
        return by_uid[uid], int(part)
    match = _NUMBERS.fullmatch(text)
    if match is None:
        return None, None
    by_key = {each.key: each for each in found}
    return by_key.get(_plain(match[1])), int(match[2]) if match[2] else None


def _sub_volume(series: DicomSeries, number: int | None) -> SubVolume | None:
    """The sub-volume with a number, or without one the only sub-volume that is not odd."""
    if number is None:
        number = series.volumes[0] if len(series.volumes) == 1 else 0
    parts = series.sub_volumes
    return parts[number - 1] if 1 <= number <= len(parts) else None


def _listed(found: Sequence[DicomSeries], text: str | None) -> str:
    """The sentence that lists the series of a folder, and their sub-volumes."""
    count, asked = f"{len(found)} series", "choose one with --series by its series number or its UID"
    meant = _meant(found, text)[0]
    if len(found) == 1:
        count = f"one series with {len(found[0].sub_volumes)} sub-volumes"
    if meant is not None or len(found) == 1:
        asked = f"choose a sub-volume with --series, such as --series {(meant or found[0]).key_of(1)}"
    if text is not None and meant is None:
        asked = f"there is no series {text!r}: {asked}"
    return f"it contains {count} ({'; '.join(each.text for each in found)}); {asked}"
