"""Phantoms: folders of small volumes with discs in them, and a skill learned from the first one."""

from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
from jaxtyping import Int16, UInt8

from sammed.skills.skill import learn
from sammed_volumes.labels import Label, LabelVolume

AFFINE_RAS_MM = np.diag([1.0, 1.0, 5.0, 1.0])
NOISE = 20.0  # standard deviation; the discs are 200 or more above the background


@dataclass(frozen=True, slots=True)
class Size:
    """How many volumes of how many slices, pixels (on each side) and labels."""

    slices: int
    labels: int
    volumes: int
    pixels: int

    @property
    def name(self) -> str:
        """A name for a folder of such phantoms."""
        return f"{self.volumes}x{self.slices}x{self.pixels}-{self.labels}"


def make_folder(folder: Path, size: Size) -> None:
    """Write phantoms into `scans/`, in two wards, and `skill.safetensors`; keep what already exists."""
    skill = folder / "skill.safetensors"
    if skill.exists():
        return
    images = [_write(folder / "scans", size, number) for number in range(size.volumes)]
    _, voxels = phantom(size, 0)
    named = tuple(Label(value, f"disc {value}", (220, 40, 60)) for value in range(1, size.labels + 1))
    truth = LabelVolume(voxels, AFFINE_RAS_MM, named)
    learn(images[0], truth, slice_index=(0, size.slices - 1)).save(skill)


def _write(scans: Path, size: Size, number: int) -> Path:
    path = scans / f"ward {number % 2}" / f"{number}.nii.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    image, _ = phantom(size, number)
    nibabel.save(nibabel.Nifti1Image(image, AFFINE_RAS_MM), path)
    return path


def phantom(size: Size, seed: int) -> tuple[Int16[np.ndarray, "X Y Z"], UInt8[np.ndarray, "X Y Z"]]:
    """Return as many discs as labels, side by side, that move from slice to slice; and their labels."""
    shape = (size.pixels, size.pixels, size.slices)
    x, y, z = np.meshgrid(*(np.arange(count) for count in shape), indexing="ij")
    labels = np.zeros(shape, np.uint8)
    for index in range(size.labels):
        x_center, y_center = size.pixels * (index + 0.5) / size.labels, size.pixels / 2 + z - seed
        inside = (x - x_center) ** 2 + (y - y_center) ** 2 < (size.pixels / 4 / size.labels) ** 2
        labels[inside] = index + 1
    noise = np.random.default_rng(seed).normal(0, NOISE, shape)
    return (labels * 200.0 - 100 + noise).astype(np.int16), labels
