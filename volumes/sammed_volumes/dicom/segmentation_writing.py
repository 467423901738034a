"""DICOM SEG, written with highdicom: one segment per label, placed on the slices of the series."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sammed_volumes.affine import swap_ras_lps
from sammed_volumes.dicom.codes import StructureCode, category_of, code_of
from sammed_volumes.dicom.details import PRIVATE_CREATOR, PRIVATE_GROUP, SERIES_NUMBER, UTF_8, LabelDetails
from sammed_volumes.dicom.headers import quiet_pydicom
from sammed_volumes.dicom.segmentation import (
    COUNT_ELEMENT,
    ENDS_ELEMENT,
    VALUES_ELEMENT,
)
from sammed_volumes.dicom.source_images import SourceImages, is_of_many, read_sources, thickness_mm
from sammed_volumes.errors import OutputError
from sammed_volumes.labels import Label
from sammed_volumes.volume import Volume

if TYPE_CHECKING:
    from pydicom import Dataset

_WHAT = "a DICOM SEG"


def check_can_hold_labels(like: Volume) -> None:
    """Raise OutputError unless labels of the volume can be written as DICOM SEG."""
    sources = read_sources(like, _WHAT)
    _highdicom()
    _check_one_file(sources)


def write_segmentation(
    voxels: np.ndarray, labels: Sequence[Label], path: Path, *, like: Volume, details: LabelDetails
) -> None:
    """Write label voxels X Y Z on the grid of `like`, a DICOM series.

    Raises OutputError if the series is not DICOM or its UIDs are empty, so that nothing can refer to it.
    """
    sources = read_sources(like, _WHAT)
    _check_one_file(sources)
    numbers = np.zeros(max(label.value for label in labels) + 1, dtype=np.uint16)
    numbers[[label.value for label in labels]] = np.arange(1, len(labels) + 1)
    known = [place for place, source in enumerate(sources.slices) if source is not None]
    _check_missing(voxels, like)
    with quiet_pydicom(), _naming_what_is_odd(like):
        written = _segmentation(numbers[voxels[:, :, known]].T, labels, sources, like, details)
        _refer_to_frames(written, sources)
        _note(written, labels, like)
        written.save_as(path)


def _segmentation(
    numbers: np.ndarray,
    labels: Sequence[Label],
    sources: SourceImages,
    like: Volume,
    details: LabelDetails,
) -> Any:
    """The SEG of segment numbers, frames rows columns."""
    hd = _highdicom()
    return hd.seg.Segmentation(
        source_images=[_with_geometry(header, sources, like) for header in sources.headers],
        pixel_array=numbers,
        segmentation_type="BINARY",
        segment_descriptions=[_segment(*each, details) for each in enumerate(labels, start=1)],
        series_instance_uid=hd.UID(),
        series_number=SERIES_NUMBER,
        sop_instance_uid=hd.UID(),
        instance_number=1,
        manufacturer="sammed",
        manufacturer_model_name="sammed",
        software_versions=details.version or "unknown",
        device_serial_number="0",
        content_label="SEGMENTATION",
        specific_character_set=UTF_8,
    )


@contextmanager
def _naming_what_is_odd(like: Volume) -> Iterator[None]:
    """Turn what highdicom raises for headers that break the standard into a sentence."""
    try:
        yield
    except (ValueError, TypeError, AttributeError, LookupError) as error:
        if isinstance(error, OutputError):
            raise
        fact = str(error).strip(" .")
        raise OutputError(
            f"{like.path}: its headers do not allow a DICOM SEG ({fact}); use .nii.gz."
        ) from error


def _check_one_file(sources: SourceImages) -> None:
    if len(sources.headers) > 1 and any(map(is_of_many, sources.headers)):
        raise OutputError(
            "The series lies in several multi-frame files, and a DICOM SEG refers to one; use .nii.gz."
        )


def _check_missing(voxels: np.ndarray, like: Volume) -> None:
    if voxels[:, :, list(like.missing_slices)].any():
        raise OutputError(
            f"{like.path}: there are labels on slices that the series lacks, and a DICOM SEG refers to "
            "slices; use .nii.gz, or an RTSTRUCT."
        )


def _with_geometry(header: Dataset, sources: SourceImages, like: Volume) -> Dataset:
    """The header with directions and spacing as the volume has them.

    highdicom asks for elements that files may lack, and for directions that are the same to the last digit.
    """
    from pydicom import Dataset

    affine_lps_mm = swap_ras_lps(like.affine_ras_mm)
    across, down, _ = like.spacing_mm
    directions = np.concatenate([affine_lps_mm[:3, 0] / across, affine_lps_mm[:3, 1] / down])
    measures, orientation = Dataset(), Dataset()
    measures.PixelSpacing = _decimals([down, across])
    measures.SliceThickness = _decimals([thickness_mm(header, like)])[0]
    orientation.ImageOrientationPatient = _decimals(directions)
    if not is_of_many(header):
        header.update(measures)
        header.update(orientation)
        header.pop("NumberOfFrames", None)  # highdicom takes a file that states one frame for many
        return header
    shared = Dataset()
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [orientation]
    header.SharedFunctionalGroupsSequence = [shared]
    groups = header.PerFrameFunctionalGroupsSequence
    header.PerFrameFunctionalGroupsSequence = [groups[index] for _, index in sources.frames]
    header.NumberOfFrames = len(sources.frames)
    return header


def _decimals(numbers: Iterable[float]) -> list[Any]:
    """Numbers in at most 16 characters, as DICOM's decimal strings have them."""
    from pydicom.valuerep import DSfloat

    return [DSfloat(float(each), auto_format=True) for each in numbers]


def _refer_to_frames(written: Dataset, sources: SourceImages) -> None:
    """Name the frames of a multi-frame source as its file counts them."""
    references = {  # frames of several segments share one
        id(source): source
        for group in written.PerFrameFunctionalGroupsSequence
        for derivation in group.get("DerivationImageSequence", ())
        for source in derivation.SourceImageSequence
    }
    for source in references.values():
        if "ReferencedFrameNumber" in source:
            source.ReferencedFrameNumber = sources.frames[source.ReferencedFrameNumber - 1][1] + 1


def _segment(number: int, label: Label, details: LabelDetails) -> Any:
    from pydicom.sr.codedict import codes

    hd = _highdicom()
    code = code_of(label.name, details.codes)
    algorithm = None
    if details.algorithm != "MANUAL":
        algorithm = hd.AlgorithmIdentificationSequence(
            name="sammed", version=details.version or "unknown", family=codes.DCM.ArtificialIntelligence
        )
    return hd.seg.SegmentDescription(
        segment_number=number,
        segment_label=label.name[:64],
        segmented_property_category=_concept(category_of(code)),
        segmented_property_type=_concept(code),
        algorithm_type=details.algorithm,
        algorithm_identification=algorithm,
        tracking_uid=hd.UID(),
        tracking_id=f"{label.value} {label.name}"[:64],
        display_color=hd.color.CIELabColor.from_rgb(*label.color_rgb),
    )


def _concept(code: StructureCode) -> Any:
    return _highdicom().sr.CodedConcept(code.value, code.scheme, code.meaning[:64])


def _note(written: Dataset, labels: Sequence[Label], like: Volume) -> None:
    """Note what a SEG has no place for: the slices that hold no label, and the labels' values."""
    affine_lps_mm = swap_ras_lps(like.affine_ras_mm)
    start, step = affine_lps_mm[:3, 3], affine_lps_mm[:3, 2]
    count = like.shape[2]
    block = written.private_block(PRIVATE_GROUP, PRIVATE_CREATOR, create=True)
    block.add_new(ENDS_ELEMENT, "FD", [*start.tolist(), *(start + (count - 1) * step).tolist()])
    block.add_new(COUNT_ELEMENT, "UL", count)
    block.add_new(VALUES_ELEMENT, "UL", [label.value for label in labels])


def _highdicom() -> Any:
    try:
        import highdicom
        import highdicom.color
        import highdicom.seg
        import highdicom.sr
    except ImportError:
        raise OutputError(
            "DICOM SEG is written by highdicom; install it with `pip install sammed[dicom]`."
        ) from None
    return highdicom
