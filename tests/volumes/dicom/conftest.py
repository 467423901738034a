"""Fixtures for DICOM: series and multi-frame files as pydicom writes them, with all that SEG refers to."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from sammed_volumes.affine import swap_ras_lps

Make = Callable[..., Any]
Save = Callable[[Dataset, Path], Path]

CT, ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.2.1"


def item(**elements: Any) -> Dataset:
    """A dataset with these elements, as an item of a sequence."""
    made = Dataset()
    for keyword, value in elements.items():
        setattr(made, keyword, value)
    return made


def image(pixels: np.ndarray, **elements: Any) -> Dataset:
    """An image with gray values rows columns, or frames rows columns, and these elements."""
    made = item(
        SOPClassUID=CT,
        SOPInstanceUID=pydicom.uid.generate_uid(),
        StudyInstanceUID="1.2.3",
        SeriesInstanceUID="1.2.3.4",
        FrameOfReferenceUID="1.2.3.99",
        Modality="CT",
        SeriesNumber=1,
        SeriesDescription="Thorax",
        ImageType=["ORIGINAL", "PRIMARY", "AXIAL"],
        SamplesPerPixel=1,
        PhotometricInterpretation="MONOCHROME2",
        Rows=pixels.shape[-2],
        Columns=pixels.shape[-1],
        BitsAllocated=pixels.dtype.itemsize * 8,
        BitsStored=pixels.dtype.itemsize * 8,
        HighBit=pixels.dtype.itemsize * 8 - 1,
        PixelRepresentation=int(pixels.dtype.kind == "i"),
        RescaleSlope=1,
        RescaleIntercept=-1024,
    )
    made.PixelData = pixels.tobytes()
    for keyword, value in elements.items():
        setattr(made, keyword, value)
    return made


def write(made: Dataset, path: Path) -> Path:
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID or UID("1.2.3")
    path.parent.mkdir(exist_ok=True)
    made.save_as(path, enforce_file_format=True)
    return path


@dataclass(frozen=True, slots=True)
class SeriesMaker:
    """Writes voxels X Y Z on an RAS affine as a series of single slices, with elements for each slice."""

    folder: Path

    def __call__(
        self,
        voxels: np.ndarray,
        affine_ras_mm: np.ndarray,
        *,
        prefix: str = "",
        each: Sequence[dict[str, Any]] | None = None,
        **elements: Any,
    ) -> Path:
        affine_lps_mm = swap_ras_lps(affine_ras_mm)
        spacing_mm = np.linalg.norm(affine_lps_mm[:3, :3], axis=0)
        directions = affine_lps_mm[:3, :3] / spacing_mm
        for k in range(voxels.shape[2]):
            place = {
                "ImagePositionPatient": list(affine_lps_mm[:3, 3] + k * affine_lps_mm[:3, 2]),
                "ImageOrientationPatient": [*directions[:, 0], *directions[:, 1]],
                "PixelSpacing": [spacing_mm[1], spacing_mm[0]],
                "SliceThickness": spacing_mm[2],
                "InstanceNumber": k + 1,
            }
            place = {keyword: _rounded(value) for keyword, value in place.items()}
            own = each[k] if each else {}
            made = image(np.ascontiguousarray(voxels[:, :, k].T), **{**place, **elements, **own})
            write(made, self.folder / f"{prefix}{k:02d}.dcm")
        return self.folder


def _rounded(value: Any) -> Any:
    """Numbers in at most 16 characters, as DICOM's decimal strings have them."""
    if isinstance(value, list):
        return [_rounded(part) for part in value]
    return value if isinstance(value, int) else pydicom.valuerep.DSfloat(float(value), auto_format=True)


@pytest.fixture
def make_series(tmp_path: Path) -> SeriesMaker:
    return SeriesMaker(tmp_path / "series")


def many(
    frames: np.ndarray,
    heights_mm: Sequence[float],
    groups: Sequence[dict[str, Any]] | None = None,
    **shared: Any,
) -> Dataset:
    """A multi-frame CT or MR: frames F rows columns at these heights, with functional groups of their own."""
    per_frame = []
    for k, height_mm in enumerate(heights_mm):
        group = item(PlanePositionSequence=[item(ImagePositionPatient=[10, 20, height_mm])])
        for keyword, value in (groups[k] if groups else {}).items():
            setattr(group, keyword, value)
        per_frame.append(group)
    common = item(
        PlaneOrientationSequence=[item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])],
        PixelMeasuresSequence=[item(PixelSpacing=[0.6, 0.5], SliceThickness=2.5)],
        PixelValueTransformationSequence=[item(RescaleSlope=1, RescaleIntercept=-1024, RescaleType="HU")],
    )
    elements = {"SOPClassUID": ENHANCED_CT, "NumberOfFrames": len(frames), **shared}
    made = image(
        frames,
        SharedFunctionalGroupsSequence=[common],
        PerFrameFunctionalGroupsSequence=per_frame,
        **elements,
    )
    del made.RescaleSlope, made.RescaleIntercept
    return made


@pytest.fixture
def make_many() -> Make:
    return many


@pytest.fixture
def make_item() -> Make:
    return item


@pytest.fixture
def make_image() -> Make:
    return image


@pytest.fixture
def save_dicom() -> Save:
    return write


@pytest.fixture
def oblique() -> np.ndarray:
    """The RAS affine of an oblique grid with three different spacings."""
    turned = np.array([[0.36, 0.48, -0.8], [-0.8, 0.6, 0.0], [0.48, 0.64, 0.6]])
    affine = np.eye(4)
    affine[:3, :3] = turned * (0.7, 0.9, 2.5)
    affine[:3, 3] = (-11.0, 23.5, 7.25)
    return affine
