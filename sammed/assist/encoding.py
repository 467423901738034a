"""Encode prompts for the mask decoder: sparse tokens and a dense map, in the SAM frame."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from sammed.backbones.backbone import Backbone
from sammed.backbones.frame import Frame
from sammed.prompts.coarse import COARSE_LIMIT
from sammed.prompts.prompt import Prompt

Form = tuple[str, int]


def form_of(prompt: Prompt) -> Form:
    """Return what prompts must share to be encoded together: their kind and their number of points.

    SAM's prompt encoder could pad the shorter ones, but padding changes the masks.
    """
    return prompt.kind, prompt.count


def encode_prompts(
    backbone: Backbone, encoder: nn.Module, prompts: Sequence[Prompt], frame: Frame
) -> tuple[Float[Tensor, "B N 256"], Float[Tensor, "B 256 h w"]]:
    """Return sparse and dense embeddings of prompts that share one form (`form_of`).

    Gradients reach the encoder's weights. Coarse logits are clamped to +-COARSE_LIMIT.
    """
    device = backbone.device
    points = boxes = masks = None
    first = prompts[0]
    if first.count:
        xy = np.stack([frame.points_to_sam(prompt.points_xy_slice) for prompt in prompts])  # B P 2
        signs = np.stack([prompt.signs for prompt in prompts])  # B P
        points = (torch.from_numpy(xy).float().to(device), torch.from_numpy(signs).to(device))
    if first.box_xyxy_slice is not None:
        corners = np.stack([prompt.box_xyxy_slice for prompt in prompts if prompt.box_xyxy_slice is not None])
        boxes = torch.from_numpy(frame.boxes_to_sam(corners)).float().to(device)  # B 4
    if first.coarse_logits is not None:
        coarse = torch.stack([prompt.coarse_logits for prompt in prompts if prompt.coarse_logits is not None])
        masks = coarse[:, None].float().to(device).clamp(-COARSE_LIMIT, COARSE_LIMIT)  # B 1 4h 4w
    sparse, dense = encoder(points=points, boxes=boxes, masks=masks)
    return sparse.to(device), dense
