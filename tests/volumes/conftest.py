"""Fixtures for files: other libraries write the images, so the tests compare the readers with them."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import SimpleITK

from sammed_volumes.affine import swap_ras_lps
from sammed_volumes.volume import Volume

Save = Callable[[Volume, Path], Path]
Reorient = Callable[[np.ndarray, np.ndarray, str], tuple[np.ndarray, np.ndarray]]

ALL_AXCODES = tuple(
    "".join(pairs[axis][way] for axis, way in zip(order, ways, strict=True))
    for pairs in [("LR", "PA", "IS")]
    for order in itertools.permutations(range(3))
    for ways in itertools.product((0, 1), repeat=3)
)
"""The 48 ways to store a volume: 6 orders of the patient's axes times 8 directions."""


@pytest.fixture(params=ALL_AXCODES)
def axcodes(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def reoriented(array: np.ndarray, affine_ras_mm: np.ndarray, axcodes: str) -> tuple[np.ndarray, np.ndarray]:
    """Store the same anatomy in another orientation, with nibabel."""
    image = nibabel.Nifti1Image(array, affine_ras_mm)
    now = nibabel.orientations.io_orientation(affine_ras_mm)
    wanted = nibabel.orientations.axcodes2ornt(axcodes)
    turned = image.as_reoriented(nibabel.orientations.ornt_transform(now, wanted))
    return np.asanyarray(turned.dataobj), turned.affine


@pytest.fixture
def reorient() -> Reorient:
    return reoriented


def itk_image(voxels: np.ndarray, affine_ras_mm: np.ndarray) -> Any:
    affine_lps_mm = swap_ras_lps(affine_ras_mm)
    spacing = np.linalg.norm(affine_lps_mm[:3, :3], axis=0)
    image = SimpleITK.GetImageFromArray(np.ascontiguousarray(voxels.T))
    image.SetSpacing(spacing.tolist())
    image.SetOrigin(affine_lps_mm[:3, 3].tolist())
    image.SetDirection((affine_lps_mm[:3, :3] / spacing).ravel().tolist())
    return image


@pytest.fixture
def to_itk() -> Callable[..., Any]:
    """Convert voxels X Y Z and an RAS affine to an image of SimpleITK."""
    return itk_image


@pytest.fixture
def save() -> Save:
    """Write a volume with nibabel or SimpleITK, depending on the path's suffix."""

    def write(volume: Volume, path: Path) -> Path:
        if path.name.endswith((".nii", ".nii.gz")):
            nibabel.save(nibabel.Nifti1Image(volume.voxels, volume.affine_ras_mm), path)
        else:
            SimpleITK.WriteImage(
                itk_image(volume.voxels, volume.affine_ras_mm), str(path), useCompression=True
            )
        return path

    return write


@dataclass(frozen=True, slots=True)
class DicomMaker:
    """Writes slices of a CT series: slice k of `heights_mm` shows `values[k]`, or the number k everywhere."""

    folder: Path

    def __call__(
        self,
        heights_mm: Sequence[float],
        *,
        values: np.ndarray | None = None,
        series: str = "1.2.3.4",
        description: str = "Thorax",
        number: str = "1",
        modality: str = "CT",
        size: tuple[int, int] = (7, 5),
        orientation: str = r"1\0\0\0\1\0",
        shift_mm: tuple[float, float] = (0.0, 0.0),
        rescale: tuple[str, str] = ("1", "-1024"),
        names: Sequence[str] | None = None,
    ) -> Path:
        self.folder.mkdir(exist_ok=True)
        for k, height_mm in enumerate(heights_mm):
            page = np.full(size[::-1], k, dtype=np.int16) if values is None else values[k]
            image = SimpleITK.GetImageFromArray(page[np.newaxis])
            image.SetSpacing((0.5, 0.6, 2.5))
            tags = {
                "0008|0016": "1.2.840.10008.5.1.4.1.1.2",
                "0008|0018": f"{series}.{k}",
                "0008|0060": modality,
                "0008|103e": description,
                "0018|0050": "2.5",
                "0020|000d": "1.2.3",
                "0020|000e": series,
                "0020|0011": number,
                "0020|0032": f"{10 + shift_mm[0] * k}\\{20 + shift_mm[1] * k}\\{height_mm}",
                "0020|0037": orientation,
                "0028|1052": rescale[1],
                "0028|1053": rescale[0],
            }
            for tag, text in tags.items():
                image.SetMetaData(tag, text)
            name = names[k] if names else f"{series}-{k:02d}.dcm"
            writer = SimpleITK.ImageFileWriter()
            writer.KeepOriginalImageUIDOn()
            writer.SetFileName(str(self.folder / name))
            writer.Execute(image)
        return self.folder


@pytest.fixture
def dicom(tmp_path: Path) -> DicomMaker:
    return DicomMaker(tmp_path / "Serie für Anna")
