"""Sets on disk: pictures of bright discs as PNG, and the phantom as volumes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from PIL import Image

from sammed_volumes.formats import write_labels
from tests.conftest import MakePhantom


@pytest.fixture
def save_disc() -> Callable[..., np.ndarray]:
    """`save_disc(image, mask, center=(x, y), radius=6)` writes a PNG of 48 x 40 and, if asked, its mask."""

    def save(
        image: Path,
        mask: Path | None = None,
        center: tuple[int, int] = (20, 18),
        radius: int = 6,
        value: int = 1,
    ) -> np.ndarray:
        y, x = np.mgrid[:40, :48]
        disc: np.ndarray = (x - center[0]) ** 2 + (y - center[1]) ** 2 <= radius**2
        gray = np.random.default_rng(center).normal(80, 6, disc.shape) + 90 * disc
        for path, pixels in ((image, gray.clip(0, 255)), (mask, disc * value)):
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels.astype(np.uint8)).save(path)
        return disc

    return save


@pytest.fixture
def save_phantom(phantom: MakePhantom) -> Callable[..., None]:
    """`save_phantom(image, labels, seed=1)` writes the phantom, and its labels if asked."""

    def save(image: Path, labels: Path | None = None, **settings: Any) -> None:
        made = phantom(**settings)
        image.parent.mkdir(parents=True, exist_ok=True)
        nibabel.save(nibabel.Nifti1Image(made.volume.voxels, made.volume.affine_ras_mm), image)
        if labels is not None:
            labels.parent.mkdir(parents=True, exist_ok=True)
            write_labels(made.labels, labels, like=made.volume)

    return save
