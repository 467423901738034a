"""Frames: what a header says of each slice in a file, single slices and multi-frame files alike.

Sources: DICOM PS3.3, C.7.6.2 (image plane), C.7.6.16 (multi-frame functional groups).
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sammed_volumes.dicom.frame import DicomFrame, Traits
from sammed_volumes.dicom.headers import SEGMENTATION_CLASSES, items_of, number_of, numbers_of, text_of
from sammed_volumes.errors import UnsupportedVolumeError

_GRAY = ("", "MONOCHROME1", "MONOCHROME2")
_SPATIAL, _DIRECTION_TOLERANCE = 3, 1e-2

# What sets frames at one place apart, the surest first: name, element, sequence in the functional groups.
_TRAITS = (
    ("echo", "EchoNumbers", ""),
    ("echo time", "EchoTime", ""),
    ("echo time", "EffectiveEchoTime", "MREchoSequence"),
    ("b-value", "DiffusionBValue", ""),
    ("b-value", "DiffusionBValue", "MRDiffusionSequence"),
    ("diffusion direction", "DiffusionGradientOrientation", ""),
    ("temporal position", "TemporalPositionIdentifier", ""),
    ("temporal position", "TemporalPositionIndex", "FrameContentSequence"),
    ("cardiac phase", "NominalPercentageOfCardiacPhase", ""),
    ("cardiac phase", "NominalPercentageOfCardiacPhase", "CardiacSynchronizationSequence"),
    ("inversion time", "InversionTime", ""),
    ("image type", "ImageType", ""),
    ("image type", "FrameType", "MRImageFrameTypeSequence"),
    ("image type", "FrameType", "CTImageFrameTypeSequence"),
    ("kernel", "ConvolutionKernel", ""),
    ("acquisition", "AcquisitionNumber", ""),
    ("acquisition", "FrameAcquisitionNumber", "FrameContentSequence"),
    ("stack", "StackID", "FrameContentSequence"),
    ("trigger time", "TriggerTime", ""),
    ("acquisition time", "AcquisitionTime", ""),
    ("acquisition time", "FrameAcquisitionDateTime", "FrameContentSequence"),
    ("content time", "ContentTime", ""),
)
TRAIT_NAMES = tuple(dict.fromkeys(name for name, _, _ in _TRAITS))
"""The traits of a frame, the surest first."""


def frames_of(header: Any, path: Path) -> tuple[DicomFrame, ...]:
    """Return the frames of an image.

    Raises UnsupportedVolumeError for a color picture and for an image without a position in the patient.
    """
    kind = text_of(header, "PhotometricInterpretation")
    is_gray = kind in _GRAY or text_of(header, "SOPClassUID") in SEGMENTATION_CLASSES
    if number_of(header, "SamplesPerPixel", 1) != 1 or not is_gray:
        raise UnsupportedVolumeError(
            f"its file {path.name} is a color picture; move it to another folder or use gray-value slices"
        )
    count = int(number_of(header, "NumberOfFrames", 1))
    groups = items_of(header, "PerFrameFunctionalGroupsSequence")
    if not groups:
        if count > 1:
            raise UnsupportedVolumeError(
                f"its file {path.name} contains several frames without positions in the patient; "
                "convert it to .nii.gz first"
            )
        return (_frame(_Parts(header), path),)
    if len(groups) != count:
        raise UnsupportedVolumeError(
            f"its file {path.name} declares {count} frames and describes {len(groups)}; export it again"
        )
    shared = items_of(header, "SharedFunctionalGroupsSequence")
    return tuple(_frame(_Parts(header, (group, *shared)), path, index) for index, group in enumerate(groups))


class _Parts:
    """A header and the functional groups of one frame: an element is looked for in the frame's own first."""

    def __init__(self, header: Any, groups: Sequence[Any] = ()) -> None:
        self.header, self.groups = header, groups

    def holder(self, keyword: str, sequence: str) -> Any:
        """What holds the element: an item of the sequence in a functional group, else the header."""
        for item in self._items(sequence):
            if text_of(item, keyword):
                return item
        return self.header

    def _items(self, sequence: str) -> Iterator[Any]:
        for group in self.groups:
            yield from items_of(group, sequence)


def _frame(parts: _Parts, path: Path, index: int | None = None) -> DicomFrame:
    header = parts.header
    position, x_direction, y_direction = _place(parts, path)
    down, across = _pixel_spacing(parts)
    rescale = "PixelValueTransformationSequence"
    traits = _traits(parts)
    return DicomFrame(
        path=path,
        series=text_of(header, "SeriesInstanceUID"),
        number=text_of(header, "SeriesNumber"),
        description=text_of(header, "SeriesDescription"),
        modality=text_of(header, "Modality"),
        shape=(int(number_of(header, "Columns", 0)), int(number_of(header, "Rows", 0))),
        position_lps_mm=position,
        x_direction_lps=x_direction,
        y_direction_lps=y_direction,
        pixel_spacing_mm=(across, down),
        thickness_mm=_thickness(parts),
        index=index or 0,
        is_of_many=index is not None,
        slope=number_of(parts.holder("RescaleSlope", rescale), "RescaleSlope", 1.0),
        intercept=number_of(parts.holder("RescaleIntercept", rescale), "RescaleIntercept", 0.0),
        is_localizer="LOCALIZER" in dict(traits).get("image type", "").split("\\"),
        traits=traits,
    )


def _place(
    parts: _Parts, path: Path
) -> tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float, float]]:
    """Position and the directions across and down, LPS."""
    position = numbers_of(
        parts.holder("ImagePositionPatient", "PlanePositionSequence"), "ImagePositionPatient", _SPATIAL
    )
    if position is None or not np.isfinite(position).all():
        raise UnsupportedVolumeError(
            f"its file {path.name} has no position in the patient; use a CT or MRI series"
        )
    directions = numbers_of(
        parts.holder("ImageOrientationPatient", "PlaneOrientationSequence"), "ImageOrientationPatient", 6
    )
    axes = np.reshape(directions or (1, 0, 0, 0, 1, 0), (2, 3))
    is_square = np.abs(axes @ axes.T - np.eye(2)).max() < _DIRECTION_TOLERANCE
    if not is_square:  # NaN too
        raise UnsupportedVolumeError(
            f"its file {path.name} has an orientation that is not two directions at right angles; "
            "export it again"
        )
    (a, b, c), (d, e, f) = axes.tolist()
    x, y, z = position
    return (x, y, z), (a, b, c), (d, e, f)


def _pixel_spacing(parts: _Parts) -> tuple[float, float]:
    """Millimeters from one row to the next and from one column to the next; 1 where the header has none."""
    measured = numbers_of(parts.holder("PixelSpacing", "PixelMeasuresSequence"), "PixelSpacing", 2)
    down, across = measured or numbers_of(parts.header, "ImagerPixelSpacing", 2) or (1.0, 1.0)
    return down, across


def _thickness(parts: _Parts) -> float:
    """The edge of a voxel where there is one slice only; more slices say it by their positions."""
    for keyword in ("SpacingBetweenSlices", "SliceThickness"):
        found = number_of(parts.holder(keyword, "PixelMeasuresSequence"), keyword, 0.0)
        if 0 < found < np.inf:
            return found
    return 1.0


def _traits(parts: _Parts) -> Traits:
    found: dict[str, str] = {}
    for name, keyword, sequence in _TRAITS:
        holder = parts.holder(keyword, sequence) if sequence else parts.header
        value = text_of(holder, keyword)
        if value and name not in found:
            found[name] = value
    return tuple(found.items())
