"""Samples of volumes and labels: a few thousand voxels, written by other libraries or by sammed."""

import hashlib
from pathlib import Path

import nibabel
import nrrd
import numpy as np
import SimpleITK
from PIL import Image

from sammed_volumes.formats import read_labels, read_volume, write_labels
from sammed_volumes.labels import LabelVolume, complete_labels
from sammed_volumes.volume import Volume

_SHAPE = (16, 14, 9)  # X Y Z
_AFFINE_RAS_MM = np.diag([2.0, 2.0, 5.0, 1.0])
_LAYERS = """NRRD0004
type: unsigned char
dimension: 4
space: left-posterior-superior
sizes: 2 16 14 9
space directions: none (2,0,0) (0,2,0) (0,0,5)
kinds: list domain domain domain
encoding: raw
space origin: (0,0,0)
Segment0_ID:=Segment_1
Segment0_Name:=liver
Segment0_Color:=0.5 0.5 1
Segment0_LabelValue:=1
Segment0_Layer:=0
Segment1_ID:=Segment_2
Segment1_Name:=spleen
Segment1_LabelValue:=1
Segment1_Layer:=1

"""


def write_nifti(path: Path) -> None:
    """Write a volume as NIfTI-1, compressed if the suffix says so."""
    nibabel.save(nibabel.Nifti1Image(image_voxels(), _AFFINE_RAS_MM), path)


def write_nifti_2(path: Path) -> None:
    """Write a volume as NIfTI-2."""
    nibabel.save(nibabel.Nifti2Image(image_voxels(), _AFFINE_RAS_MM), path)


def write_nifti_pair(path: Path) -> None:
    """Write a volume as NIfTI, `.hdr` and `.img`."""
    nibabel.save(nibabel.Nifti1Pair(image_voxels(), _AFFINE_RAS_MM), path)


def write_analyze(path: Path) -> None:
    """Write a volume as Analyze, `.hdr` and `.img`."""
    nibabel.save(nibabel.AnalyzeImage(image_voxels(), _AFFINE_RAS_MM), path)


def write_by_itk(path: Path) -> None:
    """Write a volume with ITK, compressed."""
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(image_voxels().T), str(path), useCompression=True)


def write_raw_by_itk(path: Path) -> None:
    """Write a volume with ITK, not compressed; `.mhd` and `.nhdr` have their voxels in another file."""
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(image_voxels().T), str(path), useCompression=False)


def write_by_pynrrd(path: Path, encoding: str) -> None:
    """Write a volume in an encoding of NRRD that ITK does not write."""
    nrrd.write(str(path), image_voxels(), {"encoding": encoding})


def write_layers(path: Path) -> None:
    """Write labels as 3D Slicer does where segments may overlap: one layer each."""
    layers = np.stack([labels_of_sample().voxels == value for value in (1, 2)]).astype(np.uint8)
    path.write_bytes(_LAYERS.encode() + layers.tobytes(order="F"))


def write_own_labels(path: Path) -> None:
    """Write labels as sammed does, with the sidecar of a format that needs one."""
    write_labels(labels_of_sample(), path, like=Volume(image_voxels(), _AFFINE_RAS_MM))


def write_sidecar(path: Path) -> None:
    """Write labels as NIfTI with a sidecar, which is `path`."""
    write_own_labels(path.with_suffix(".nii.gz"))


def write_picture(path: Path) -> None:
    """Write one slice as a picture."""
    _slice_picture(4).save(path)


def write_colors(path: Path) -> None:
    """Write one slice as a picture whose colors are labels, with a palette."""
    _slice_picture(4).convert("RGB").convert("P").save(path)


def write_slices(path: Path) -> None:
    """Write a folder of numbered pictures; `path` is one of them."""
    for k in range(1, 5):
        _slice_picture(k).save(path.with_name(f"slice_{k}.png"))


def write_pages(path: Path, compression: str) -> None:
    """Write all slices as a TIFF with many pages, as ImageJ describes them."""
    pages = [Image.fromarray(page) for page in labels_of_sample().voxels.T]
    text = f"ImageJ=1.53\nimages={len(pages)}\nslices={len(pages)}\nunit=mm\nspacing=5.0\n"
    pages[0].save(
        path,
        save_all=True,
        append_images=pages[1:],
        compression=compression,
        description=text,
        resolution=0.5,
    )


def read_as_volume(path: Path) -> str:
    """Read a volume, and return a digest of every voxel and its place."""
    volume = read_volume(path)
    return _digest(np.asarray(volume.voxels), volume.affine_ras_mm)


def read_as_labels(path: Path) -> str:
    """Read labels, and return a digest of them and their places."""
    return _labels_digest(read_labels(path))


def read_as_colors(path: Path) -> str:
    """Read the colors of a picture as labels."""
    return _labels_digest(read_labels(path, colors=True))


def read_folder(path: Path) -> str:
    """Read the volume of the file's folder."""
    return read_as_volume(path.parent)


def read_labels_of_sidecar(path: Path) -> str:
    """Read the labels that a sidecar belongs to."""
    return read_as_labels(path.with_suffix(".nii.gz"))


def image_voxels() -> np.ndarray:
    """The intensities X Y Z of all samples."""
    image: np.ndarray = np.random.default_rng(0).integers(0, 1400, _SHAPE).astype(np.int16)
    return image


def labels_of_sample() -> LabelVolume:
    """Two labels on the same grid."""
    voxels: np.ndarray = np.zeros(_SHAPE, np.uint8)
    voxels[3:9, 4:10], voxels[9:13, 5:9] = 1, 2
    return LabelVolume(voxels, _AFFINE_RAS_MM, complete_labels(voxels, ()))


def _slice_picture(k: int) -> Image.Image:
    return Image.fromarray((labels_of_sample().voxels[:, :, k].T > 0).astype(np.uint8) * 255)


def _labels_digest(labels: LabelVolume) -> str:
    labels.voxel_counts()
    return _digest(labels.voxels, labels.affine_ras_mm) + repr(labels.labels)


def _digest(voxels: np.ndarray, affine_ras_mm: np.ndarray) -> str:
    digest = hashlib.sha256(voxels.tobytes() + affine_ras_mm.tobytes())
    return f"{voxels.dtype} {voxels.shape} {digest.hexdigest()}"
