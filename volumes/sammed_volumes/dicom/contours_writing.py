"""RTSTRUCT, written: the contours of each label on the slices of the series that it was made for.

Source: DICOM PS3.3, A.19 (RT Structure Set IOD), C.8.8.5 and C.8.8.6. Holes are contours within others, as
most programs write and read them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sammed_volumes.affine import apply_affine, swap_ras_lps
from sammed_volumes.dicom.codes import TISSUE, code_of
from sammed_volumes.dicom.contours import GRID_ELEMENT
from sammed_volumes.dicom.details import PRIVATE_CREATOR, PRIVATE_GROUP, SERIES_NUMBER, UTF_8, LabelDetails
from sammed_volumes.dicom.headers import CONTOURS_CLASS, quiet_pydicom
from sammed_volumes.dicom.outlines import outlines_of
from sammed_volumes.dicom.source_images import (
    PATIENT_AND_STUDY,
    SourceImages,
    is_of_many,
    read_sources,
)
from sammed_volumes.labels import Label
from sammed_volumes.volume import Volume

if TYPE_CHECKING:
    from pydicom import Dataset

_WHAT = "an RTSTRUCT"
# The class of a study: retired, but required here by name.
_STUDY_CLASS = "1.2.840.10008.3.1.2.3.1"


def check_can_hold_contours(like: Volume) -> None:
    """Raise OutputError unless labels of the volume can be written as RTSTRUCT."""
    read_sources(like, _WHAT)


def write_contours(
    voxels: np.ndarray, labels: Sequence[Label], path: Path, *, like: Volume, details: LabelDetails
) -> None:
    """Write the contours of label voxels X Y Z on the grid of `like`, a DICOM series.

    Raises OutputError if the series is not DICOM or its UIDs are empty, so that nothing can refer to it.
    """
    sources = read_sources(like, _WHAT)
    with quiet_pydicom():
        written = _structure_set(sources, details)
        written.StructureSetROISequence = [_structure(label, sources, details) for label in labels]
        written.ROIContourSequence = [_contours(label, voxels, like, sources) for label in labels]
        written.RTROIObservationsSequence = [_observation(label, details) for label in labels]
        grid = np.concatenate([like.shape, like.affine_ras_mm.ravel()]).astype("<f8")
        block = written.private_block(PRIVATE_GROUP, PRIVATE_CREATOR, create=True)
        block.add_new(GRID_ELEMENT, "OB", grid.tobytes())
        written.save_as(path, enforce_file_format=True)


def _item(**elements: Any) -> Dataset:
    from pydicom import Dataset

    made = Dataset()
    for keyword, value in elements.items():
        setattr(made, keyword, value)
    return made


def _structure_set(sources: SourceImages, details: LabelDetails) -> Dataset:
    """All but the structures: patient, study, series, and the images that they were drawn on."""
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import ImplicitVRLittleEndian, generate_uid

    first, now = sources.headers[0], datetime.now()
    made = _item(
        SpecificCharacterSet=UTF_8,
        SOPClassUID=CONTOURS_CLASS,
        SOPInstanceUID=generate_uid(),
        Modality="RTSTRUCT",
        StudyInstanceUID=first.StudyInstanceUID,
        SeriesInstanceUID=generate_uid(),
        SeriesNumber=SERIES_NUMBER,
        InstanceNumber=1,
        OperatorsName=None,
        Manufacturer="sammed",
        ManufacturerModelName="sammed",
        SoftwareVersions=details.version or "unknown",
        StructureSetLabel="sammed",
        StructureSetDate=now.strftime("%Y%m%d"),
        StructureSetTime=now.strftime("%H%M%S"),
        FrameOfReferenceUID=first.FrameOfReferenceUID,
        PositionReferenceIndicator=None,
        ReferencedFrameOfReferenceSequence=[_drawn_on(sources)],
        ApprovalStatus="UNAPPROVED",
        **{keyword: first[keyword].value for keyword in PATIENT_AND_STUDY},
    )
    made.file_meta = FileMetaDataset()
    # Explicit lengths end at 64 KB, which a contour may exceed.
    made.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    return made


def _drawn_on(sources: SourceImages) -> Dataset:
    """The frame of reference, and in it the study, the series and all its images."""
    first = sources.headers[0]
    images = [_image(header) for header in sources.headers]
    series = _item(SeriesInstanceUID=first.SeriesInstanceUID, ContourImageSequence=images)
    study = _item(
        ReferencedSOPClassUID=_STUDY_CLASS,
        ReferencedSOPInstanceUID=first.StudyInstanceUID,
        RTReferencedSeriesSequence=[series],
    )
    return _item(FrameOfReferenceUID=first.FrameOfReferenceUID, RTReferencedStudySequence=[study])


def _image(header: Dataset, frame: int | None = None) -> Dataset:
    image = _item(ReferencedSOPClassUID=header.SOPClassUID, ReferencedSOPInstanceUID=header.SOPInstanceUID)
    if frame is not None and is_of_many(header):
        image.ReferencedFrameNumber = frame + 1
    return image


def _structure(label: Label, sources: SourceImages, details: LabelDetails) -> Dataset:
    return _item(
        ROINumber=label.value,
        ReferencedFrameOfReferenceUID=sources.headers[0].FrameOfReferenceUID,
        ROIName=label.name[:64],
        ROIGenerationAlgorithm=details.algorithm,
    )


def _contours(label: Label, voxels: np.ndarray, like: Volume, sources: SourceImages) -> Dataset:
    """The contours of a label, slice by slice along axis 2; none where it has no voxel."""
    to_lps_mm = swap_ras_lps(like.affine_ras_mm)
    contours = []
    for k, source in enumerate(sources.slices):
        images = [] if source is None else [_image(sources.headers[source[0]], source[1])]
        for outline in outlines_of(voxels[:, :, k] == label.value):
            points = np.column_stack([outline, np.full(len(outline), float(k))])
            contours.append(_contour(apply_affine(to_lps_mm, points), images))
    made = _item(ReferencedROINumber=label.value, ROIDisplayColor=list(label.color_rgb))
    if contours:
        made.ContourSequence = contours
    return made


def _contour(points_lps_mm: np.ndarray, images: Sequence[Dataset]) -> Dataset:
    made = _item(
        ContourGeometricType="CLOSED_PLANAR",
        NumberOfContourPoints=len(points_lps_mm),
        ContourData=[f"{part:.4f}" for part in points_lps_mm.ravel().tolist()],
    )
    if images:
        made.ContourImageSequence = images
    return made


def _observation(label: Label, details: LabelDetails) -> Dataset:
    """What a structure is; its code where one is known."""
    made = _item(
        ObservationNumber=label.value,
        ReferencedROINumber=label.value,
        RTROIInterpretedType=None,
        ROIInterpreter=None,
    )
    code = code_of(label.name, details.codes)
    if code != TISSUE:
        made.RTROIIdentificationCodeSequence = [
            _item(CodeValue=code.value, CodingSchemeDesignator=code.scheme, CodeMeaning=code.meaning[:64])
        ]
    return made
