"""Samples of DICOM: a series, compressed too, a multi-frame file, segmentations, contours, an archive."""

import zipfile
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import SimpleITK
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
)

from bench.corruption.volumes import image_voxels, labels_of_sample
from sammed_volumes.formats import read_volume, write_labels
from sammed_volumes.labels import LabelVolume, complete_labels

_UID = "1.2.826.0.1.3680043.8.498"
_STUDY, _SERIES, _FRAME = f"{_UID}.2", f"{_UID}.3", f"{_UID}.4"
_ENHANCED_CT, _CONTOURS = "1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.481.3"
_LABEL_MAP = "1.2.840.10008.5.1.4.1.1.66.7"
_SLICES = 4
_BY_PILLOW: dict[UID, dict[str, Any]] = {
    JPEGBaseline8Bit: {"format": "JPEG"},
    JPEG2000Lossless: {"format": "JPEG2000", "no_jp2": True},
}


def write_series(path: Path) -> None:
    """Write a CT series of four slices into the file's folder; `path` is one of them."""
    itk: Any = SimpleITK  # untyped in parts
    for k in range(_SLICES):
        image: Any = SimpleITK.GetImageFromArray(image_voxels().T[k : k + 1])
        image.SetSpacing((2.0, 2.0, 5.0))
        for tag, text in _tags(k).items():
            image.SetMetaData(tag, text)
        writer: Any = itk.ImageFileWriter()
        writer.KeepOriginalImageUIDOn()
        writer.SetFileName(str(path if k == 0 else path.with_name(f"slice{k}.dcm")))
        writer.Execute(image)


def write_encoded(path: Path, syntax: UID) -> None:
    """Write the same series with one slice, `path`, in another transfer syntax."""
    write_series(path)
    made = pydicom.dcmread(path)
    if syntax in _BY_PILLOW:
        stream = BytesIO()
        pixels = (made.pixel_array >> 3).astype(np.uint8)
        Image.fromarray(pixels).save(stream, **_BY_PILLOW[syntax])
        made.BitsAllocated = made.BitsStored = 8
        made.HighBit, made.PixelRepresentation = 7, 0
        made.PixelData = encapsulate([stream.getvalue()])
        made["PixelData"].VR = "OB"
        made.file_meta.TransferSyntaxUID = syntax
    elif syntax == DeflatedExplicitVRLittleEndian:
        made.file_meta.TransferSyntaxUID = syntax
    else:
        made.compress(syntax, generate_instance_uid=False)
    made.save_as(path)


def inflated(path: Path) -> bytes:
    """Return a deflated file with its elements unpacked."""
    whole = path.read_bytes()
    start = _end_of_meta(whole)
    return whole[:start] + zlib.decompress(whole[start:], -zlib.MAX_WBITS)


def deflated(path: Path, inner: bytes) -> bytes:
    """Return a file of which `inner` is what `inflated` returns."""
    start = _end_of_meta(path.read_bytes())
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return inner[:start] + packer.compress(inner[start:]) + packer.flush()


def write_enhanced(path: Path) -> None:
    """Write the same slices as one multi-frame CT."""
    frames = np.ascontiguousarray(image_voxels().T[:_SLICES])
    made = _image(frames, SOPClassUID=_ENHANCED_CT, NumberOfFrames=_SLICES)
    made.SharedFunctionalGroupsSequence = [
        _item(
            PlaneOrientationSequence=[_item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])],
            PixelMeasuresSequence=[_item(PixelSpacing=[2, 2], SliceThickness=5)],
            PixelValueTransformationSequence=[_item(RescaleSlope=1, RescaleIntercept=-1024)],
        )
    ]
    made.PerFrameFunctionalGroupsSequence = _positions()
    _save(made, path)


def write_segmentation(path: Path) -> None:
    """Write labels as DICOM SEG; the series goes into a folder next to it."""
    folder = path.parent / "series"
    folder.mkdir()
    write_series(folder / "slice0.dcm")
    like = read_volume(folder)
    voxels = labels_of_sample().voxels[:, :, :_SLICES]
    write_labels(LabelVolume(voxels, like.affine_ras_mm, complete_labels(voxels, ())), path, like=like)


def write_label_map(path: Path) -> None:
    """Write labels as a label map, DICOM's other kind of segmentation."""
    frames = np.ascontiguousarray(labels_of_sample().voxels.T[:_SLICES])
    made = _image(frames, SOPClassUID=_LABEL_MAP, NumberOfFrames=_SLICES, Modality="SEG")
    made.SegmentationType = "LABELMAP"
    made.SegmentSequence = [_item(SegmentNumber=k, SegmentLabel=f"part {k}") for k in (1, 2)]
    made.SharedFunctionalGroupsSequence = [
        _item(
            PlaneOrientationSequence=[_item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])],
            PixelMeasuresSequence=[_item(PixelSpacing=[2, 2], SliceThickness=5)],
        )
    ]
    made.PerFrameFunctionalGroupsSequence = _positions()
    _save(made, path)


def write_contours(path: Path) -> None:
    """Write an RTSTRUCT of two structures into the folder of its series."""
    write_series(path.with_name("slice0.dcm"))
    made = _item(SOPClassUID=_CONTOURS, SOPInstanceUID=f"{_UID}.5", Modality="RTSTRUCT")
    series = _item(SeriesInstanceUID=_SERIES)
    study = _item(RTReferencedSeriesSequence=[series])
    made.ReferencedFrameOfReferenceSequence = [_item(RTReferencedStudySequence=[study])]
    made.StructureSetROISequence = [_item(ROINumber=k, ROIName=f"part {k}") for k in (1, 2)]
    made.ROIContourSequence = [
        _item(
            ReferencedROINumber=k,
            ROIDisplayColor=[255, 16 * k, 0],
            ContourSequence=[_square(10 * k - 7, 10 * k, 5 * place) for place in range(3)],
        )
        for k in (1, 2)
    ]
    _save(made, path)


def write_archive(path: Path) -> None:
    """Write the series as a zip archive."""
    folder = path.parent / "series"
    folder.mkdir()
    write_series(folder / "slice0.dcm")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for each in sorted(folder.iterdir()):
            archive.write(each, f"DICOM/{each.name}")


def directory_first(path: Path) -> bytes:
    """Return an archive with its directory, which is at its end, before the members."""
    whole = path.read_bytes()
    start = whole.index(b"PK\x01\x02")
    return whole[start:] + whole[:start]


def directory_last(path: Path, inner: bytes) -> bytes:
    """Return an archive of which `inner` is what `directory_first` returns."""
    start = path.read_bytes().index(b"PK\x01\x02")
    return inner[-start:] + inner[:-start]


def _end_of_meta(whole: bytes) -> int:
    """Where the group ends whose length the first element states, after 128 bytes and the four of `DICM`."""
    return 144 + int.from_bytes(whole[140:144], "little")


def _positions() -> list[Dataset]:
    places = [_item(ImagePositionPatient=[0, 0, 5 * k]) for k in range(_SLICES)]
    return [_item(PlanePositionSequence=[place]) for place in places]


def _square(low: int, high: int, height: int) -> Dataset:
    corners = ((low, low), (high, low), (high, high), (low, high))
    points = [number for x, y in corners for number in (x, y, height)]
    return _item(ContourGeometricType="CLOSED_PLANAR", NumberOfContourPoints=4, ContourData=points)


def _item(**elements: Any) -> Dataset:
    made = Dataset()
    for keyword, value in elements.items():
        setattr(made, keyword, value)
    return made


def _image(pixels: np.ndarray, **elements: Any) -> Dataset:
    bits = pixels.dtype.itemsize * 8
    places = {"Rows": pixels.shape[-2], "Columns": pixels.shape[-1], "SamplesPerPixel": 1}
    stored = {"BitsAllocated": bits, "BitsStored": bits, "HighBit": bits - 1}
    made = _item(
        SOPInstanceUID=f"{_UID}.6",
        StudyInstanceUID=_STUDY,
        SeriesInstanceUID=_SERIES,
        FrameOfReferenceUID=_FRAME,
        PhotometricInterpretation="MONOCHROME2",
        PixelRepresentation=int(pixels.dtype.kind == "i"),
        **{"Modality": "CT", **places, **stored, **elements},
    )
    made.PixelData = pixels.tobytes()
    made["PixelData"].VR = "OW"
    return made


def _save(made: Dataset, path: Path) -> None:
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    made.save_as(path, enforce_file_format=True)


def _tags(k: int) -> dict[str, str]:
    return {
        "0008|0016": "1.2.840.10008.5.1.4.1.1.2",
        "0008|0018": f"{_UID}.1.{k + 1}",
        "0008|0060": "CT",
        "0018|0050": "5",
        "0020|000d": _STUDY,
        "0020|000e": _SERIES,
        "0020|0011": "1",
        "0020|0032": f"0\\0\\{5 * k}",
        "0020|0037": r"1\0\0\0\1\0",
        "0020|0052": _FRAME,
        "0028|1052": "-1024",
        "0028|1053": "1",
    }
