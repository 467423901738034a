"""Proposals of a SAM trained only with boxes: grids of boxes of several sizes, decoded on one embedding.

This does with boxes what Meta's generator does with points: decode in batches, drop masks that depend on the
threshold (stability), and of similar masks (by their own IoU, since boxes are prompts here) keep the most
stable. Boxes of a grid surround nothing in particular. With refinements, the box around each stable mask, a
little wider, becomes a prompt again; such a SAM was trained with boxes of this kind.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from segment_anything.utils.amg import batched_mask_to_box, calculate_stability_score
from torch import Tensor

from sammed.assist.masks import EMPTY_LOGIT, decode_prompts
from sammed.backbones.backbone import Backbone
from sammed.backbones.frame import Frame
from sammed.datasets.pseudo.proposals.box_sizes import BoxSize, general_sizes, lay_grid
from sammed.datasets.pseudo.proposals.config import ProposalConfig
from sammed.prompts.boxes import move_sides
from sammed.prompts.prompt import Prompt


def masks_by_boxes(
    backbone: Backbone,
    image: Float[np.ndarray, "H W C"],
    pixel_spacing_mm: tuple[float, float],
    config: ProposalConfig,
    sizes: Sequence[BoxSize] = (),
) -> Iterator[Bool[np.ndarray, "H W"]]:
    """Yield masks of a picture of values 0..1, the most stable first.

    `sizes` are those of the boxes; without them, the sizes come from the config.
    """
    height, width = image.shape[:2]
    frame = backbone.frame(height, width, pixel_spacing_mm)
    shown = image[:, :, 0] if image.shape[2] == 1 else image
    embedding = backbone.encode(backbone.prepare(shown, frame)[None])
    boxes = lay_grid(sizes or general_sizes(height, width, config), height, width, config)
    found = torch.zeros(0, frame.mask_size, frame.mask_size)
    for _ in range(1 + config.refinements):
        logits = _decode(backbone, embedding, boxes, frame, config)
        found = keep_best(torch.cat([found, logits]), config)
        if not len(found):
            return
        boxes = boxes_around(found[: config.most_refined], frame, config.box_margin / 2)
    for logits in found:  # one at a time: a picture may have far more pixels than the mask grid has cells
        yield frame.logits_to_slice(logits[None])[0].numpy() > 0


def keep_best(logits: Float[Tensor, "N M M"], config: ProposalConfig) -> Float[Tensor, "n M M"]:
    """Return the stable masks, the most stable first, without those similar to a more stable one."""
    logits = logits[(logits > 0).flatten(1).any(1)]
    if not len(logits):
        return logits
    stability = calculate_stability_score(logits, 0.0, config.stability_offset)
    steady = (stability >= config.stability).nonzero()[:, 0]
    order = steady[stability[steady].argsort(descending=True, stable=True)]
    kept = suppress(logits[order] > 0, config.mask_overlap)[: config.most]
    return logits[order[kept]]


def suppress(masks: Bool[Tensor, "N M M"], most_overlap: float) -> Int64[Tensor, " n"]:
    """Return indices of the masks whose IoU with every earlier kept one is at most `most_overlap`."""
    flat = masks.flatten(1).float()
    both, areas = flat @ flat.T, flat.sum(1)
    overlap = both / (areas[:, None] + areas[None] - both).clamp(min=1)
    kept: list[int] = []
    for index in range(len(flat)):
        if not kept or overlap[index, kept].max() <= most_overlap:
            kept.append(index)
    return torch.tensor(kept, dtype=torch.int64)


def boxes_around(
    logits: Float[Tensor, "N M M"], frame: Frame, margin: float = 0.0
) -> Float[np.ndarray, "N 4"]:
    """Return the box (x0, y0, x1, y1) in slice pixels around each mask of the mask grid, inside the slice.

    Each side moves outward by `margin`, a share of the box's width or height.
    """
    cell = frame.size // frame.mask_size
    corners = batched_mask_to_box(logits > 0).double().cpu().numpy()
    # From the first pixel of the first cell to the last pixel of the last.
    boxes = frame.boxes_to_slice(corners * cell + np.array([0, 0, cell - 1, cell - 1]))
    outward = np.full(4, margin)
    return np.stack([move_sides(box, outward, (frame.height, frame.width)) for box in boxes])


def _decode(
    backbone: Backbone,
    embedding: Float[Tensor, "1 256 h w"],
    boxes: Float[np.ndarray, "N 4"],
    frame: Frame,
    config: ProposalConfig,
) -> Float[Tensor, "N M M"]:
    """Return logits on the CPU, far below 0 outside the content."""
    prompts = [Prompt(box_xyxy_slice=box) for box in boxes]
    rows = [0] * len(prompts)
    logits = decode_prompts(
        backbone, backbone.prompt_encoder, embedding, prompts, rows, frame, config.batch_size
    ).cpu()
    cell = frame.size // frame.mask_size
    logits[:, frame.content_height // cell :] = EMPTY_LOGIT
    logits[:, :, frame.content_width // cell :] = EMPTY_LOGIT
    return logits
