"""Pictures of a set as squares -1..1 for a diffusion model, and back."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float16
from torch import Tensor

from sammed.datasets.students.scaling import from_square, to_square
from sammed.errors import AnnotationError


@dataclass(frozen=True, slots=True, eq=False)
class TrainingPictures:
    """Squares 0..1 and the median shape (rows, columns) of the original pictures."""

    squares: Float16[np.ndarray, "N C s s"]
    shape: tuple[int, int]

    def digest(self) -> str:
        """Return 64 hexadecimal digits over all pictures, to tell whether training can continue."""
        header = f"{self.squares.shape} {self.shape}".encode()
        return hashlib.sha256(header + self.squares.tobytes()).hexdigest()

    def batch(self, rows: Sequence[int]) -> Float[Tensor, "B C s s"]:
        """Return some of the pictures, -1..1."""
        return torch.from_numpy(self.squares[list(rows)]).float() * 2 - 1


def training_pictures(
    images: Iterable[Float[np.ndarray, "H W C"]], size_px: int, channels: int
) -> TrainingPictures:
    """Return pictures 0..1 for training, without those of a single value, such as slices of air.

    Raises AnnotationError where none is left.
    """
    squares, shapes = [], []
    for image in images:
        if image.max() > image.min():
            squares.append(to_square(image, size_px, channels).astype(np.float16))
            shapes.append(image.shape[:2])
    if not squares:
        raise AnnotationError("There is no picture to learn from: each has a single value.")
    height, width = np.median(np.array(shapes), axis=0).round().astype(int).tolist()
    return TrainingPictures(np.stack(squares), (height, width))


def as_picture(square: Float[Tensor, "C s s"], shape: tuple[int, int]) -> Float[np.ndarray, "H W C"]:
    """Return a square -1..1 as a picture 0..1 of that shape."""
    values = ((square.clamp(-1, 1) + 1) / 2).cpu().numpy()
    return np.ascontiguousarray(from_square(values, shape).transpose(1, 2, 0))
