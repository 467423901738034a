"""Samples of volumes and labels: a few thousand voxels, written by other libraries or by sammed."""

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import SimpleITK
from PIL import Image

from sammed_volumes.formats import read_labels, read_volume, write_labels
from sammed_volumes.labels import LabelVolume, complete_labels
from sammed_volumes.volume import Volume

_SHAPE = (16, 14, 9)  # X Y Z
_AFFINE_RAS_MM = np.diag([2.0, 2.0, 5.0, 1.0])
_UID = "1.2.826.0.1.3680043.8.498"


def write_nifti(path: Path) -> None:
    """Write a volume as NIfTI, compressed if the suffix says so."""
    nibabel.save(nibabel.Nifti1Image(_image(), _AFFINE_RAS_MM), path)


def write_analyze(path: Path) -> None:
    """Write a volume as Analyze, `.hdr` and `.img`."""
    nibabel.save(nibabel.AnalyzeImage(_image(), _AFFINE_RAS_MM), path)


def write_by_itk(path: Path) -> None:
    """Write a volume with ITK, compressed."""
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(_image().T), str(path), useCompression=True)


def write_raw_by_itk(path: Path) -> None:
    """Write a volume with ITK, not compressed."""
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(_image().T), str(path), useCompression=False)


def write_own_labels(path: Path) -> None:
    """Write labels as sammed does, with the sidecar of a format that needs one."""
    write_labels(_labels(), path, like=Volume(_image(), _AFFINE_RAS_MM))


def write_sidecar(path: Path) -> None:
    """Write labels as NIfTI with a sidecar, which is `path`."""
    write_own_labels(path.with_suffix(".nii.gz"))


def write_picture(path: Path) -> None:
    """Write one slice as a picture."""
    Image.fromarray((_labels().voxels[:, :, 4].T > 0).astype(np.uint8) * 255).save(path)


def write_pages(path: Path) -> None:
    """Write all slices as a TIFF with many pages."""
    first, *others = (Image.fromarray(page) for page in _labels().voxels.T)
    first.save(path, save_all=True, append_images=others, compression="tiff_deflate")


def write_series(path: Path) -> None:
    """Write a CT series of four slices into the file's folder; `path` is one of them."""
    itk: Any = SimpleITK  # untyped in parts
    for k in range(4):
        image: Any = SimpleITK.GetImageFromArray(_image().T[k : k + 1])
        image.SetSpacing((2.0, 2.0, 5.0))
        for tag, text in _tags(k).items():
            image.SetMetaData(tag, text)
        writer: Any = itk.ImageFileWriter()
        writer.KeepOriginalImageUIDOn()
        writer.SetFileName(str(path if k == 0 else path.with_name(f"slice{k}.dcm")))
        writer.Execute(image)


def write_segmentation(path: Path) -> None:
    """Write labels as DICOM SEG; the series goes into a folder next to it."""
    folder = path.parent / "series"
    folder.mkdir()
    write_series(folder / "slice0.dcm")
    like = read_volume(folder)
    voxels = _labels().voxels[:, :, :4]
    write_labels(LabelVolume(voxels, like.affine_ras_mm, complete_labels(voxels, ())), path, like=like)


def read_as_volume(path: Path) -> None:
    """Read a volume and every voxel of it."""
    np.asarray(read_volume(path).voxels).sum()


def read_as_labels(path: Path) -> None:
    """Read labels and count their voxels."""
    read_labels(path).voxel_counts()


def read_as_series(path: Path) -> None:
    """Read the volume of the file's folder."""
    read_as_volume(path.parent)


def read_labels_of_sidecar(path: Path) -> None:
    """Read the labels that a sidecar belongs to."""
    read_as_labels(path.with_suffix(".nii.gz"))


def _image() -> np.ndarray:
    image: np.ndarray = np.random.default_rng(0).integers(0, 1400, _SHAPE).astype(np.int16)
    return image


def _labels() -> LabelVolume:
    voxels: np.ndarray = np.zeros(_SHAPE, np.uint8)
    voxels[3:9, 4:10], voxels[9:13, 5:9] = 1, 2
    return LabelVolume(voxels, _AFFINE_RAS_MM, complete_labels(voxels, ()))


def _tags(k: int) -> dict[str, str]:
    return {
        "0008|0016": "1.2.840.10008.5.1.4.1.1.2",
        "0008|0018": f"{_UID}.1.{k + 1}",
        "0008|0060": "CT",
        "0018|0050": "5",
        "0020|000d": f"{_UID}.2",
        "0020|000e": f"{_UID}.3",
        "0020|0011": "1",
        "0020|0032": f"0\\0\\{5 * k}",
        "0020|0037": r"1\0\0\0\1\0",
        "0020|0052": f"{_UID}.4",
        "0028|1052": "-1024",
        "0028|1053": "1",
    }
