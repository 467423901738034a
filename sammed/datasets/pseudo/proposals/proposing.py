"""From a picture to its proposals, by points or by boxes, as the backbone was trained (SamDSK 3.1)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Literal

import numpy as np
from jaxtyping import Float

from sammed.backbones.backbone import Backbone
from sammed.backbones.registry import BACKBONES
from sammed.datasets.pseudo.proposals.box_sizes import BoxSize
from sammed.datasets.pseudo.proposals.config import ProposalConfig
from sammed.datasets.pseudo.proposals.grid_boxes import masks_by_boxes
from sammed.datasets.pseudo.proposals.point_grid import check_pixels, masks_by_points
from sammed.datasets.pseudo.proposals.proposals import Proposals, pack


def propose(
    backbone: Backbone,
    image: Float[np.ndarray, "H W C"],
    pixel_spacing_mm: tuple[float, float],
    config: ProposalConfig,
    sizes: Sequence[BoxSize] = (),
) -> Proposals:
    """Return the best `config.most` masks that the backbone suggests in a picture of values 0..1.

    The same picture gets the same proposals. `pixel_spacing_mm` is (row, column); it and `sizes` (default:
    those of the config) apply to boxes.
    """
    if source_of(backbone, config) == "points":
        masks = masks_by_points(backbone, image, config)
    else:
        masks = masks_by_boxes(backbone, image, pixel_spacing_mm, config, sizes)
    large = (mask for mask in masks if np.count_nonzero(mask) >= config.least_pixels)
    return pack(islice(large, config.most), *image.shape[:2])


def check_source(backbone: Backbone, config: ProposalConfig) -> None:
    """Raise ConfigError early where the backbone can't be prompted as the config states."""
    if source_of(backbone, config) == "points":
        check_pixels(backbone)


def source_of(backbone: Backbone, config: ProposalConfig) -> Literal["points", "boxes"]:
    """Return the kind of prompts; a backbone outside the registry counts as a SAM, with points."""
    if config.source != "auto":
        return config.source
    known = BACKBONES.get(backbone.name)
    return known.prompts if known else "points"
