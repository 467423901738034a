"""Annotated slices of a small picture, as the tiny backbone sees them."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor

from sammed.backbones.backbone import Backbone
from sammed.backbones.frame import Frame


@dataclass(frozen=True, slots=True, eq=False)
class Slices:
    """Slices S H W with a label: one blob, two blobs, none."""

    embeddings: Tensor
    masks: np.ndarray
    frame: Frame


@pytest.fixture(scope="session")
def slices(tiny_backbone: Backbone) -> Slices:
    masks = np.zeros((3, 40, 48), dtype=bool)
    masks[0, 5:20, 8:24] = True
    masks[1, 10:30, 10:28] = True
    masks[1, 3:11, 36:45] = True
    noise = np.random.default_rng(0).normal(0, 0.02, masks.shape)
    images = np.clip(0.1 + 0.7 * masks + noise, 0, 1).astype(np.float32)
    frame = tiny_backbone.frame(40, 48, (1.0, 1.0))
    pixels = torch.stack([tiny_backbone.prepare(image, frame) for image in images])
    return Slices(tiny_backbone.encode(pixels), masks, frame)
