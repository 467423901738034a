"""DICOM SEG, read: each frame is the mask of one segment on one slice, placed by its position.

Read with pydicom alone, frame by frame, for highdicom's volumes have no place for a tilted gantry.
Source: DICOM PS3.3, A.51 (Segmentation IOD), C.8.20.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sammed_volumes.affine import swap_ras_lps
from sammed_volumes.dicom.details import noted
from sammed_volumes.dicom.frame import DicomFrame
from sammed_volumes.dicom.frames import frames_of
from sammed_volumes.dicom.headers import damage_named, items_of, number_of, numbers_of, text_of
from sammed_volumes.dicom.masks import PlacedLabels, SliceMask, merge_masks
from sammed_volumes.dicom.stack import SAME_PLACE_MM
from sammed_volumes.errors import LabelError, UnsupportedVolumeError
from sammed_volumes.labels import Label, default_color

ENDS_ELEMENT, COUNT_ELEMENT, VALUES_ELEMENT = 0x01, 0x02, 0x03
"""Private elements: first and last position of the series, number of its slices, values of the labels."""

_SAME_DIRECTION = 1e-3
_EVEN = 0.1
_MOST_SLICES = 100_000
_UNEVEN = "its slices are not evenly spaced; resample the image first, then segment it"


def read_segmentation(path: Path, *, flatten: bool = False) -> PlacedLabels:
    """Read a DICOM SEG on the grid of its own slices, from the first that it stores to the last.

    A file that sammed wrote covers the whole series. Raises LabelError where segments overlap and not
    `flatten`; UnsupportedVolumeError for probabilities, and for slices that are not one stack.
    """
    from pydicom import dcmread

    with damage_named(path):
        file = dcmread(path)
        return _placed(file, frames_of(file, path), flatten=flatten)


def _placed(file: Any, frames: Sequence[DicomFrame], *, flatten: bool) -> PlacedLabels:
    labels = _labels(file)
    places, count, affine_ras_mm = _grid(file, frames)
    masks = _masks(file, frames, places, labels)
    voxels = merge_masks(masks, (*frames[0].shape, count), labels.values(), flatten=flatten)
    return PlacedLabels(voxels, affine_ras_mm, tuple(sorted(labels.values(), key=lambda label: label.value)))


def _labels(file: Any) -> dict[int, Label]:
    """The labels by their segments' numbers, with sammed's own values where it wrote the file."""
    segments = items_of(file, "SegmentSequence")
    values = [int(value) for value in np.atleast_1d(noted(file, VALUES_ELEMENT) or [])]
    labels = {}
    for place, segment in enumerate(segments):
        number = int(number_of(segment, "SegmentNumber", place + 1))
        value = values[place] if len(values) == len(segments) else number
        if value == 0:  # the background of a label map
            continue
        name = text_of(segment, "SegmentLabel") or f"label_{value}"
        labels[number] = Label(value, name, _color(segment) or default_color(value))
    return labels


def _color(segment: Any) -> tuple[int, int, int] | None:
    """The recommended color as red, green, blue."""
    lab = numbers_of(segment, "RecommendedDisplayCIELabValue", 3)
    if lab is None:
        return None
    # PS3.3, C.10.7.1.1: L 0..100, a and b -128..127, each on 0..65535.
    light, a, b = lab[0] / 65535 * 100, lab[1] / 65535 * 255 - 128, lab[2] / 65535 * 255 - 128
    return _rgb_of_lab(light, a, b)


def _rgb_of_lab(light: float, a: float, b: float) -> tuple[int, int, int]:
    """CIELab under D65 to sRGB, 0..255."""
    level = (light + 16) / 116
    levels = np.array([level + a / 500, level, level - b / 200])
    linear = np.where(levels > 6 / 29, levels**3, 3 * (6 / 29) ** 2 * (levels - 4 / 29))
    x, y, z = linear * (0.950456, 1.0, 1.088754)
    rgb = np.array(
        [
            3.2404542 * x - 1.5371385 * y - 0.4985314 * z,
            -0.969266 * x + 1.8760108 * y + 0.041556 * z,
            0.0556434 * x - 0.2040259 * y + 1.0572252 * z,
        ]
    ).clip(0, 1)
    coded = np.where(rgb <= 0.0031308, 12.92 * rgb, 1.055 * rgb ** (1 / 2.4) - 0.055)
    red, green, blue = (int(part) for part in np.round(coded * 255))
    return red, green, blue


def _grid(file: Any, frames: Sequence[DicomFrame]) -> tuple[list[int], int, np.ndarray]:
    """The place of each frame along axis 2, how many there are, and the 4x4 RAS affine."""
    first = frames[0]
    if not all(np.allclose(each.plane, first.plane, atol=_SAME_DIRECTION) for each in frames):
        raise UnsupportedVolumeError("its frames differ in direction or pixel spacing; export one stack")
    positions = np.array([each.position_lps_mm for each in frames])
    start, step, count = _own_stack(file) or _stack(first, positions)
    places = (positions - start) @ step / (step @ step)
    if np.abs(places - np.round(places)).max() > _EVEN or np.round(places.min()) < 0:
        raise UnsupportedVolumeError(_UNEVEN)
    affine_lps_mm = np.eye(4)
    affine_lps_mm[:3, 0] = np.multiply(first.x_direction_lps, first.pixel_spacing_mm[0])
    affine_lps_mm[:3, 1] = np.multiply(first.y_direction_lps, first.pixel_spacing_mm[1])
    affine_lps_mm[:3, 2], affine_lps_mm[:3, 3] = step, start
    count = max(count, int(np.round(places.max())) + 1)
    return np.round(places).astype(int).tolist(), count, swap_ras_lps(affine_lps_mm)


def _stack(first: DicomFrame, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Start, step (LPS mm) and number of the slices from the lowest that is stored to the highest."""
    order = np.argsort(positions @ first.normal_lps)
    heights_mm = (positions @ first.normal_lps)[order]
    gaps_mm = np.diff(heights_mm)
    gaps_mm = gaps_mm[gaps_mm > SAME_PLACE_MM]
    start, end = positions[order[0]], positions[order[-1]]
    if not gaps_mm.size:
        return start, first.normal_lps * first.thickness_mm, 1
    count = int(np.round((heights_mm[-1] - heights_mm[0]) / gaps_mm.min())) + 1
    if count > _MOST_SLICES:
        raise UnsupportedVolumeError(_UNEVEN)
    return start, (end - start) / (count - 1), count


def _own_stack(file: Any) -> tuple[np.ndarray, np.ndarray, int] | None:
    """Start, step and number of the series' slices, as sammed notes them."""
    ends, count = noted(file, ENDS_ELEMENT), noted(file, COUNT_ELEMENT)
    if ends is None or count is None or not 1 < int(count) <= _MOST_SLICES:
        return None
    start, end = np.reshape([float(part) for part in ends], (2, 3))
    return start, (end - start) / (int(count) - 1), int(count)


def _masks(
    file: Any, frames: Sequence[DicomFrame], places: Sequence[int], labels: dict[int, Label]
) -> Iterator[SliceMask]:
    """The masks, those of later segments later; frames are unpacked one by one."""
    if text_of(file, "SegmentationType") == "LABELMAP":
        for index, place in enumerate(places):
            page = _page(file, index)
            for number in np.unique(page[page > 0]).tolist():
                yield SliceMask(_label(labels, number), place, page == number)
        return
    is_fraction = text_of(file, "SegmentationType") == "FRACTIONAL"
    full = number_of(file, "MaximumFractionalValue", 255)
    numbers = [_segment_number(file, index) for index in range(len(frames))]
    for index in np.argsort(numbers, kind="stable").tolist():
        page = _page(file, index)
        if is_fraction and not np.isin(page, (0, full)).all():
            raise UnsupportedVolumeError("it holds probabilities, and labels are whole numbers; save a mask")
        yield SliceMask(_label(labels, numbers[index]), places[index], page > 0)


def _page(file: Any, index: int) -> np.ndarray:
    """The stored values of a frame, X Y."""
    from pydicom.pixels.utils import pixel_array

    if file.BitsAllocated == 1 and not file.file_meta.TransferSyntaxUID.is_encapsulated:
        # pydicom loses the start of a frame that begins within a byte.
        rows, columns = int(file.Rows), int(file.Columns)
        start, end = index * rows * columns, (index + 1) * rows * columns
        packed = np.frombuffer(file.PixelData, np.uint8, count=-(-end // 8) - start // 8, offset=start // 8)
        bits = np.unpackbits(packed, bitorder="little")[start % 8 :][: rows * columns]
        return bits.reshape(rows, columns).T
    page: np.ndarray = pixel_array(file, index=index, raw=True)
    return page.T


def _segment_number(file: Any, index: int) -> int:
    groups = (
        items_of(file, "PerFrameFunctionalGroupsSequence")[index],
        *items_of(file, "SharedFunctionalGroupsSequence"),
    )
    for group in groups:
        for item in items_of(group, "SegmentIdentificationSequence"):
            return int(number_of(item, "ReferencedSegmentNumber", 0))
    return 0


def _label(labels: dict[int, Label], number: int) -> Label:
    if number not in labels:
        raise LabelError(f"it holds voxels of segment {number}, which it does not declare; export it again")
    return labels[number]
