"""DICOM SEG, written with highdicom: one segment per label, placed on the slices of the series."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from sammed_volumes.affine import swap_ras_lps
from sammed_volumes.dicom.archive import unpacked
from sammed_volumes.dicom.codes import NamedCode, StructureCode, category_of, code_of
from sammed_volumes.dicom.headers import damaged, quiet_pydicom, text_of
from sammed_volumes.dicom.segmentation import (
    COUNT_ELEMENT,
    ENDS_ELEMENT,
    PRIVATE_CREATOR,
    PRIVATE_GROUP,
    VALUES_ELEMENT,
)
from sammed_volumes.errors import OutputError
from sammed_volumes.labels import Label
from sammed_volumes.volume import DicomHeader, Volume

if TYPE_CHECKING:
    from pydicom import Dataset

Algorithm: TypeAlias = Literal["MANUAL", "SEMIAUTOMATIC", "AUTOMATIC"]

# Elements that a source must have, if only empty, for its patient and study to be repeated.
_MAY_BE_EMPTY = (
    *("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber"),
    *("StudyID", "StudyDate", "StudyTime", "ReferringPhysicianName"),
)
_UIDS = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")
_SERIES_NUMBER = 9000
_MOST_LABELS = 65535


@dataclass(frozen=True, slots=True)
class SegmentDetails:
    """What a SEG states about its labels: who or what made them, and codes of structures by name.

    `algorithm` is DICOM's word; `version` is that of sammed, the algorithm.
    """

    algorithm: Algorithm = "SEMIAUTOMATIC"
    version: str = ""
    codes: tuple[NamedCode, ...] = ()


def check_can_hold_labels(like: Volume) -> None:
    """Raise OutputError unless labels of the volume can be written as DICOM SEG."""
    header = _dicom_header(like)
    _highdicom()
    with quiet_pydicom(), ExitStack() as stack:
        for source in _sources(header, stack):
            _check_uids(source, like)


def write_segmentation(
    voxels: np.ndarray, labels: Sequence[Label], path: Path, *, like: Volume, details: SegmentDetails
) -> None:
    """Write label voxels X Y Z on the grid of `like`, a DICOM series.

    Raises OutputError if the series is not DICOM or its UIDs are empty, so that nothing can refer to it.
    """
    header = _dicom_header(like)
    hd = _highdicom()
    with quiet_pydicom(), ExitStack() as stack:
        sources = _sources(header, stack)
        for source in sources:
            _check_uids(source, like)
        numbers = np.zeros(max(label.value for label in labels) + 1, dtype=np.uint16)
        numbers[[label.value for label in labels]] = np.arange(1, len(labels) + 1)
        known = [place for place, source in enumerate(header.sources) if source is not None]
        written = hd.seg.Segmentation(
            source_images=sources,
            pixel_array=numbers[voxels[:, :, known]].T,
            segmentation_type="BINARY",
            segment_descriptions=[_segment(*each, details) for each in enumerate(labels, start=1)],
            series_instance_uid=hd.UID(),
            series_number=_SERIES_NUMBER,
            sop_instance_uid=hd.UID(),
            instance_number=1,
            manufacturer="sammed",
            manufacturer_model_name="sammed",
            software_versions=details.version or "unknown",
            device_serial_number="0",
            content_label="SEGMENTATION",
        )
        _refer_to_frames(written, header)
        _note(written, labels, like)
        written.save_as(path)


def _dicom_header(like: Volume) -> DicomHeader:
    if not isinstance(like.header, DicomHeader):
        raise OutputError(
            f"{like.path or 'The volume'} is not a DICOM series, and a DICOM SEG refers to one; use .nii.gz."
        )
    return like.header


def _sources(header: DicomHeader, stack: ExitStack) -> list[Dataset]:
    """The headers of the source images along axis 2: one per slice, or one with a frame per slice."""
    folder = stack.enter_context(unpacked(header.archive)) if header.archive else Path()
    known = [source for source in header.sources if source is not None]
    paths = list(dict.fromkeys(path for path, _ in known))
    sources = [_read(folder / path) for path in paths]
    if "NumberOfFrames" not in sources[0]:
        return sources
    if len(paths) > 1:
        raise OutputError(
            "The series lies in several multi-frame files, and a DICOM SEG refers to one; use .nii.gz."
        )
    groups = sources[0].PerFrameFunctionalGroupsSequence
    sources[0].PerFrameFunctionalGroupsSequence = [groups[index] for _, index in known]
    sources[0].NumberOfFrames = len(known)
    return sources


def _refer_to_frames(written: Dataset, header: DicomHeader) -> None:
    """Name the frames of a multi-frame source as its file counts them."""
    known = [source for source in header.sources if source is not None]
    references = {  # frames of several segments share one
        id(source): source
        for group in written.PerFrameFunctionalGroupsSequence
        for derivation in group.get("DerivationImageSequence", ())
        for source in derivation.SourceImageSequence
    }
    for source in references.values():
        if "ReferencedFrameNumber" in source:
            source.ReferencedFrameNumber = known[source.ReferencedFrameNumber - 1][1] + 1


def _read(path: Path) -> Dataset:
    from pydicom import dcmread

    try:
        source = dcmread(path, stop_before_pixels=True)
    except OSError as error:
        raise OutputError(f"The source image {path} is gone or can't be read ({error.strerror}).") from None
    except Exception:  # pydicom raises whatever damaged bytes lead to
        raise damaged(path) from None
    for keyword in _MAY_BE_EMPTY:
        if keyword not in source:
            setattr(source, keyword, None)
    return source


def _check_uids(source: Dataset, like: Volume) -> None:
    empty = [keyword for keyword in _UIDS if not text_of(source, keyword)]
    if empty:
        raise OutputError(
            f"{like.path}: a DICOM SEG refers to its images by UIDs, and this series has no "
            f"{' and no '.join(empty)}; use .nii.gz, or export the series with its UIDs."
        )


def _segment(number: int, label: Label, details: SegmentDetails) -> Any:
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
