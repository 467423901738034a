"""Coarse masks for training: a generator's rough logits, imitated from a true mask."""

import numpy as np
import torch
from jaxtyping import Float
from scipy import ndimage
from torch import Tensor
from torch.nn import functional as F

from sammed.backbones.frame import EMBEDDING_STRIDE

COARSE_LIMIT = 8.0  # a probability of 0.9997; larger logits add nothing

# How far a generator may be off. Chosen so that a coarse mask keeps a Dice of at least 0.75; not fitted.
LARGEST_SHIFT = 1.0  # cells of the embedding grid
BLUR_RANGE = (0.4, 1.2)  # standard deviation, cells of the embedding grid
THRESHOLD_RANGE = (0.25, 0.75)  # of the area share: below a half the mask grows, above it shrinks
GAIN_RANGE = (6.0, 20.0)  # logits per unit of area share


def degrade(shares: Float[Tensor, "h w"], rng: np.random.Generator) -> Float[Tensor, "M M"]:
    """Return coarse logits on the mask grid from a true mask's area shares 0..1 on the embedding grid.

    The mask is shifted, blurred, grown or shrunk, and made more or less steep, all at random. Logits are
    clamped to +-COARSE_LIMIT. The result is on the device of `shares`.
    """
    rough = ndimage.shift(shares.cpu().numpy(), rng.uniform(-LARGEST_SHIFT, LARGEST_SHIFT, 2), order=1)
    rough = ndimage.gaussian_filter(rough, rng.uniform(*BLUR_RANGE))
    # After the blur a thin object is below any fixed threshold, but a generator would still see it.
    threshold = rng.uniform(*THRESHOLD_RANGE) * min(1.0, float(rough.max()))
    logits = np.clip(rng.uniform(*GAIN_RANGE) * (rough - threshold), -COARSE_LIMIT, COARSE_LIMIT)
    return on_mask_grid(torch.from_numpy(logits.astype(np.float32)).to(shares.device))


def on_mask_grid(logits: Float[Tensor, "h w"]) -> Float[Tensor, "M M"]:
    """Resize logits from the embedding grid to the mask grid, bilinear."""
    grown = F.interpolate(
        logits[None, None], scale_factor=EMBEDDING_STRIDE, mode="bilinear", align_corners=False
    )
    return grown[0, 0]
