"""Proposals of a SAM trained with points: Meta's automatic mask generator on a backbone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float
from segment_anything import SamAutomaticMaskGenerator
from segment_anything.modeling import Sam
from torch import Tensor, nn

from sammed.backbones.backbone import Backbone
from sammed.datasets.pseudo.proposals.config import ProposalConfig
from sammed.errors import ConfigError


def masks_by_points(
    backbone: Backbone, image: Float[np.ndarray, "H W C"], config: ProposalConfig
) -> Iterator[Bool[np.ndarray, "H W"]]:
    """Yield masks of a picture of values 0..1, by the decoder's estimate of their IoU, the highest first.

    Raises ConfigError for a backbone whose pixel preparation Meta's generator lacks.
    """
    generator = SamAutomaticMaskGenerator(
        as_sam(backbone),
        points_per_side=config.points_per_side,
        points_per_batch=config.points_per_batch,
        pred_iou_thresh=config.predicted_iou,
        stability_score_thresh=config.stability,
        stability_score_offset=config.stability_offset,
        box_nms_thresh=config.most_overlap,
        crop_nms_thresh=config.most_overlap,
    )
    gray = np.round(np.clip(image, 0.0, 1.0) * 255).astype(np.uint8)
    colored = np.ascontiguousarray(np.broadcast_to(gray, (*gray.shape[:2], 3)))
    for record in generator.generate(colored):
        yield record["segmentation"]


def check_pixels(backbone: Backbone) -> None:
    """Raise ConfigError for a backbone whose pixel preparation Meta's generator lacks."""
    if backbone.preparation.min_max or backbone.preparation.stretch:
        raise ConfigError(
            f"The backbone {backbone.name} prepares pixels in a way that a grid of points does not support; "
            "use boxes as the source of proposals."
        )


def as_sam(backbone: Backbone) -> nn.Module:
    """Return the backbone as Meta's own class, which takes pixels 0..255, without copying weights."""
    check_pixels(backbone)
    pixels = backbone.preparation
    sam: nn.Module = Sam(
        _Encoder(backbone),
        backbone.prompt_encoder,
        backbone.mask_decoder,
        [255 * mean for mean in pixels.mean],
        [255 * std for std in pixels.std],
    )
    return sam.to(backbone.device)


class _Encoder(nn.Module):
    """The backbone's image encoder in any runtime, with its input size under Meta's name."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.img_size = backbone.image_size
        self._encode = backbone.encode

    def forward(self, pixels: Tensor) -> Tensor:
        """Return embeddings B 256 h w of prepared pixels B 3 S S."""
        return self._encode(pixels)
