"""Fusion: one mask from the coarse mask and the decoder's, smoothed along the slices.

The paper takes the decoder's mask as it is. On thin and ragged structures the coarse mask or the mean of
the two is better, and on thin slices so is a mask that is averaged with its neighbors.
`sammed.auto.cross_validation` chooses for each label.
"""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

MaskFrom = Literal["decoder", "coarse", "mean"]
MASKS_FROM: tuple[MaskFrom, ...] = ("decoder", "mean", "coarse")
"""Whose logits become the mask, in the order in which they are tried."""

LARGEST_LOGIT = 6.0
"""Logits are clamped to this before they are mixed. Without it one large logit would silence all others."""

RADIUS = 3
"""Slices on either side that smoothing reaches."""


def mix(
    coarse: Float[Tensor, "S g g"], decoded: Float[Tensor, "S g g"] | None, mask_from: MaskFrom
) -> Float[Tensor, "S g g"]:
    """Return one label's logits, clamped to +-6. `decoded` may be None: then they are the coarse mask's."""
    coarse = coarse.clamp(-LARGEST_LOGIT, LARGEST_LOGIT)
    if mask_from == "coarse" or decoded is None:
        return coarse
    decoded = decoded.clamp(-LARGEST_LOGIT, LARGEST_LOGIT)
    return decoded if mask_from == "decoder" else (coarse + decoded) / 2


def smooth(
    logits: Float[Tensor, "S r g"], width_slices: float, radius: int = RADIUS
) -> Float[Tensor, "S r g"]:
    """Average logits along the slices by a Gaussian. The first and the last slice are repeated outward."""
    if width_slices == 0:
        return logits
    offsets = torch.arange(-radius, radius + 1, device=logits.device, dtype=torch.float32)
    weights = torch.exp(-0.5 * (offsets / width_slices) ** 2)
    padded = F.pad(logits.float().permute(1, 2, 0), (radius, radius), mode="replicate")  # g g S+2r
    smoothed = F.conv1d(padded.flatten(0, 1)[:, None], (weights / weights.sum())[None, None])
    return smoothed.reshape(*logits.shape[1:], -1).permute(2, 0, 1).to(logits.dtype)
