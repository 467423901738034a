"""What a classifier sees of a slice: its pixels as a square, or the backbone's embedding."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from sammed.datasets.pseudo.cam.config import ClassifierConfig
from sammed.datasets.pseudo.cam.embedding import square_embedding
from sammed.datasets.students.scaling import to_square
from sammed.embeddings.scan import Scan
from sammed_volumes.intensity import with_channels


def view(scan: Scan, index: int, config: ClassifierConfig) -> Float[Tensor, "C S S"]:
    """Return one slice, on the CPU: pixels 0..1 in its one or three channels, or its embedding."""
    if config.network == "embedding":
        return square_embedding(scan, index).cpu()
    shown = with_channels(scan.image(index))
    return torch.from_numpy(to_square(shown, config.image_size, shown.shape[2]))
