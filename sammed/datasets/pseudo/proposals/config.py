"""Settings of proposals: every number, and its source (SamDSK 3.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from sammed.errors import ConfigError
from sammed.ranges import check_least, check_shares, check_words

ProposalSource: TypeAlias = Literal["auto", "points", "boxes"]


@dataclass(frozen=True, slots=True)
class ProposalConfig:
    """Settings of `propose`. Raises ConfigError for a value out of range.

    `source` "points" prompts with a grid of points, "boxes" with grids of boxes of several sizes; "auto"
    takes what the backbone was trained with. With `from_gold` boxes have the `sizes` and places of the gold
    labels' objects, else `sides` (shares of the picture's shorter side) in each of `aspects` (width to
    height) at all places. `refinements` is how often the box around each stable mask becomes a prompt again.
    """

    source: ProposalSource = "auto"
    predicted_iou: float = 0.5  # paper: pred_iou_thresh; for points only, since MedSAM never learned it
    stability: float = 0.5  # paper: stability_score_thresh
    stability_offset: float = 1.0  # of the logits; Meta's
    most_overlap: float = 0.5  # paper: box_nms_thresh and crop_nms_thresh; of points
    points_per_side: int = 32  # Meta's
    points_per_batch: int = 64  # Meta's
    from_gold: bool = True
    sizes: int = 3  # for each label; this and all that follows is ours
    place_margin: float = 0.1  # around the centers of the gold objects, as a share of the picture
    box_margin: float = 0.2  # too small a box costs more than too large a one (one slice of the demo CT)
    sides: tuple[float, ...] = (0.75, 0.5, 0.35, 0.25)
    aspects: tuple[float, ...] = (1.0, 0.5, 2.0)
    box_overlap: float = 0.75  # of neighboring boxes, as a share of their side, where `most_boxes` allows
    most_boxes: int = 150  # per picture; the decoder runs on each
    refinements: int = 0  # one gained nothing on that slice
    most_refined: int = 50  # of the most stable masks
    mask_overlap: float = 0.8  # IoU of two masks above which one of them is dropped
    batch_size: int = 8  # prompts per run of the decoder
    least_pixels: int = 20  # a smaller mask is noise
    most: int = 300  # the number of best proposals kept

    def __post_init__(self) -> None:
        check_words(self, "source")
        check_shares(self, "predicted_iou", "stability", "most_overlap", "mask_overlap", "box_overlap")
        check_least(self, 1, "points_per_side", "points_per_batch", "batch_size", "least_pixels", "most")
        check_least(self, 1, "sizes", "most_boxes", "most_refined")
        self._check_boxes()

    def _check_boxes(self) -> None:
        if not self.sides or not all(0 < side <= 1 for side in self.sides):
            raise ConfigError(f"sides are {self.sides}; they must be above 0, up to 1.")
        if not self.aspects or min(self.aspects) <= 0:
            raise ConfigError(f"aspects are {self.aspects}; they must be above 0.")
        if min(self.place_margin, self.box_margin) < 0:
            raise ConfigError(
                f"place_margin is {self.place_margin}, box_margin {self.box_margin}; both must be 0 or more."
            )
        if self.refinements < 0 or self.stability_offset <= 0:
            raise ConfigError(
                f"refinements is {self.refinements} and stability_offset {self.stability_offset}; the first "
                "must be 0 or more, the second above 0."
            )
