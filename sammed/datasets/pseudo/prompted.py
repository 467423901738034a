"""Prompts to labels with a score: the stability of the decoder's masks.

Stability is Meta's: the IoU of a mask with its threshold moved one logit up and one logit down. The decoder's
own estimate of its IoU isn't used, because it was never trained with a learned prompt encoder.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt
from torch import Tensor, nn

from sammed.assist.masks import unite
from sammed.assist.placed import decode_placed
from sammed.auto.labeling import highest_wins
from sammed.embeddings.scan import Scan
from sammed.prompts.placing import PlacedPrompt
from sammed_volumes.labels import Label

_STABILITY_OFFSET = 1.0  # logits; Meta's


@dataclass(frozen=True, slots=True, eq=False)
class Prompted:
    """Labels S H W, and the mean stability of each label's masks, by value."""

    stack: UInt[np.ndarray, "S H W"]
    stability: dict[int, float]


def decode_with_scores(
    scan: Scan, placed: Sequence[PlacedPrompt], encoder_of: Callable[[Label], nn.Module]
) -> Prompted:
    """Decode prompts; in each pixel the label with the highest logit wins, and other slices stay empty."""
    labels, logits, stability = [], [], {}
    for label, slices, decoded in decode_placed(scan, placed, encoder_of):
        labels.append(label)
        logits.append(unite(decoded, slices, scan.slicing.count).cpu())
        stability[label.value] = float(mask_stability(decoded).mean())
    return Prompted(highest_wins(scan, logits, labels), stability)


def mask_stability(logits: Float[Tensor, "N M M"]) -> Float[Tensor, " N"]:
    """Return the stability of each mask, 0..1; 0 for an empty mask."""
    from segment_anything.utils.amg import calculate_stability_score

    found: Tensor = calculate_stability_score(logits.float(), 0.0, _STABILITY_OFFSET)
    return torch.nan_to_num(found, nan=0.0)
