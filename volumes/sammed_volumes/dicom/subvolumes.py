"""Sub-volumes: the volumes that share one series, such as phases, echoes and b-values.

Frames belong together that share a plane, a size and a pixel spacing. Where several of them lie at one place,
the headers tell which is which: echo, b-value, phase and so on. Odd frames, such as a scout, are sub-volumes
too, but never the main one.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from sammed_volumes.dicom.frame import DicomFrame
from sammed_volumes.dicom.frames import TRAIT_NAMES
from sammed_volumes.dicom.stack import SAME_PLACE_MM

_SAME_DIRECTION = 1e-3
# A group with less than this part of the largest one's frames is odd: a scout, a stray image.
_ODD = 0.25
# A trait that makes more groups than so many times the frames at one place counts slices, not volumes.
_MOST_GROUPS = 2


@dataclass(frozen=True, slots=True)
class SubVolume:
    """Frames of one volume in a series; `name` sets it apart from the others, "" where it is alone."""

    frames: tuple[DicomFrame, ...]
    name: str
    is_odd: bool = False

    @property
    def text(self) -> str:
        """The name and the number of slices."""
        slices = "1 slice" if len(self.frames) == 1 else f"{len(self.frames)} slices"
        return f"{self.name}, {slices}" if self.name else slices


def split_series(frames: Sequence[DicomFrame]) -> tuple[SubVolume, ...]:
    """The sub-volumes of a series: by number of frames odd ones last, else as their headers count them."""
    found = [part for group in _by_geometry(frames) for part in _by_traits(group)]
    largest = max(len(part) for part, _ in found)
    names = _names([(part[0], traits) for part, traits in found])
    parts = [
        SubVolume(tuple(part), name, _is_odd(part, largest))
        for (part, _), name in zip(found, names, strict=True)
    ]
    return tuple(sorted(parts, key=lambda each: each.is_odd))


def without_copies(
    frames: Sequence[DicomFrame], digest: Callable[[DicomFrame], object]
) -> tuple[tuple[DicomFrame, ...], tuple[DicomFrame, ...]]:
    """The frames without exact copies (one place, equal pixels by `digest`), and the copies."""
    kept: list[DicomFrame] = []
    copies: list[DicomFrame] = []
    for group in _places(frames):
        seen: set[object] = set()
        for each in group:
            is_copy = len(group) > 1 and (mark := digest(each)) in seen
            (copies if is_copy else kept).append(each)
            if len(group) > 1:
                seen.add(mark)
    return tuple(kept), tuple(copies)


def _is_odd(frames: Sequence[DicomFrame], largest: int) -> bool:
    few = len(frames) < _ODD * largest or len(frames) == 1
    return largest > len(frames) and (few or all(each.is_localizer for each in frames))


def _by_geometry(frames: Sequence[DicomFrame]) -> list[list[DicomFrame]]:
    groups: list[list[DicomFrame]] = []
    for each in frames:
        for group in groups:
            if _is_alike(each, group[0]):
                group.append(each)
                break
        else:
            groups.append([each])
    return groups


def _is_alike(one: DicomFrame, other: DicomFrame) -> bool:
    return (
        one.shape == other.shape
        and one.is_localizer == other.is_localizer
        and np.allclose(one.plane, other.plane, atol=_SAME_DIRECTION)
    )


def _by_traits(frames: list[DicomFrame]) -> list[tuple[list[DicomFrame], tuple[str, ...]]]:
    """Groups in which as few places as possible hold more than one frame, and the traits that tell them.

    A trait is used only if it helps, so one that varies from slice to slice splits nothing.
    """
    groups: dict[tuple[str, ...], list[DicomFrame]] = {(): frames}
    most = crowded = _most_at_one_place(frames)
    used: list[str] = []
    for name in TRAIT_NAMES:
        if crowded == 1:
            break
        finer: dict[tuple[str, ...], list[DicomFrame]] = {}
        for key, group in groups.items():
            for each in group:
                finer.setdefault((*key, each.trait(name)), []).append(each)
        now = max(_most_at_one_place(group) for group in finer.values())
        if now < crowded and len(finer) <= _MOST_GROUPS * most:
            groups, crowded = finer, now
            used.append(name)
    ordered = sorted(groups, key=lambda key: [_natural(value) for value in key])
    return [(groups[key], tuple(used)) for key in ordered]


def _most_at_one_place(frames: Sequence[DicomFrame]) -> int:
    return max(len(group) for group in _places(frames))


def _places(frames: Sequence[DicomFrame]) -> list[list[DicomFrame]]:
    """Frames by height, those at one place together."""
    places: list[list[DicomFrame]] = []
    for each in sorted(frames, key=lambda each: each.height_mm):
        if places and each.height_mm - places[-1][0].height_mm < SAME_PLACE_MM:
            places[-1].append(each)
        else:
            places.append([each])
    return places


def _natural(value: str) -> tuple[float, str]:
    try:
        return float(value), value
    except ValueError:
        return np.inf, value


def _names(parts: Sequence[tuple[DicomFrame, tuple[str, ...]]]) -> list[str]:
    """Names that set sub-volumes apart: by their traits, and by size and plane where these differ."""
    if len(parts) == 1:
        return [""]
    sizes = Counter(first.shape for first, _ in parts)
    names = []
    for first, traits in parts:
        words = [f"{trait} {first.trait(trait) or 'not stated'}" for trait in traits]
        if first.is_localizer:
            words.insert(0, "scout")
        if len(sizes) > 1:
            words.append(f"{first.shape[0]} x {first.shape[1]} pixels")
        if not words or any(not _is_parallel(first, other) for other, _ in parts):
            words.append(f"{_plane_word(first)} slices")
        names.append(", ".join(words))
    return names


def _is_parallel(one: DicomFrame, other: DicomFrame) -> bool:
    return bool(np.allclose(one.plane[:6], other.plane[:6], atol=_SAME_DIRECTION))


def _plane_word(frame: DicomFrame) -> str:
    return ("sagittal", "coronal", "axial")[int(np.argmax(np.abs(frame.normal_lps)))]
