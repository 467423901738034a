"""How proposals are made: every number, and where it comes from (SamDSK 3.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from sammed.errors import ConfigError

ProposalSource: TypeAlias = Literal["auto", "points", "boxes"]


@dataclass(frozen=True, slots=True)
class ProposalConfig:
    """Settings of `propose`. Raises ConfigError for a value out of range.

    `source` "points" asks for masks on a grid of points, "boxes" on grids of boxes of several sizes; "auto"
    takes what the backbone was trained with. Boxes have the `sizes` and places of the gold labels' objects
    with `from_gold`, else `sides` (shares of the picture's shorter side) of each of `aspects` (width to
    height) everywhere. `refinements` says how often the box round each steady mask is asked for again.
    """

    source: ProposalSource = "auto"
    predicted_iou: float = 0.5  # paper: pred_iou_thresh; of points, for MedSAM never learned to tell it
    stability: float = 0.5  # paper: stability_score_thresh
    stability_offset: float = 1.0  # of the logits; Meta's
    most_overlap: float = 0.5  # paper: box_nms_thresh and crop_nms_thresh; of points
    points_per_side: int = 32  # Meta's
    points_per_batch: int = 64  # Meta's
    from_gold: bool = True
    sizes: int = 3  # for each label; all that follows is ours
    place_margin: float = 0.1  # round where the gold objects' middles lie, as a share of the picture
    box_margin: float = 0.2  # a box cut short costs more than one too large (one slice of the demo CT)
    sides: tuple[float, ...] = (0.75, 0.5, 0.35, 0.25)
    aspects: tuple[float, ...] = (1.0, 0.5, 2.0)
    box_overlap: float = 0.75  # of neighboring boxes, as a share of their side, where `most_boxes` allows
    most_boxes: int = 150  # a picture; each goes through the decoder
    refinements: int = 0  # one gained nothing on that slice
    most_refined: int = 50  # of the steadiest masks
    mask_overlap: float = 0.8  # of two masks' IoU; beyond, one of them goes
    batch_size: int = 8  # prompts through the decoder at a time
    least_pixels: int = 20  # a smaller mask is noise
    most: int = 300  # the best so many are kept

    def __post_init__(self) -> None:
        if self.source not in get_args(ProposalSource):
            raise ConfigError(
                f"source is {self.source!r}; it is one of {', '.join(get_args(ProposalSource))}."
            )
        for name in ("predicted_iou", "stability", "most_overlap", "mask_overlap", "box_overlap"):
            if not 0 <= getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; it lies from 0 to below 1.")
        self._check_counts()
        self._check_boxes()

    def _check_counts(self) -> None:
        counts = ("points_per_side", "points_per_batch", "batch_size", "least_pixels", "most")
        for name in (*counts, "sizes", "most_boxes", "most_refined"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be 1 or more.")

    def _check_boxes(self) -> None:
        if not self.sides or not all(0 < side <= 1 for side in self.sides):
            raise ConfigError(f"sides are {self.sides}; they are shares above 0, up to 1.")
        if not self.aspects or min(self.aspects) <= 0:
            raise ConfigError(f"aspects are {self.aspects}; width to height is above 0.")
        if min(self.place_margin, self.box_margin) < 0:
            raise ConfigError(
                f"place_margin is {self.place_margin}, box_margin {self.box_margin}; 0 or more."
            )
        if self.refinements < 0 or self.stability_offset <= 0:
            raise ConfigError(
                f"refinements is {self.refinements} and stability_offset {self.stability_offset}; the first "
                "is 0 or more, the second above 0."
            )
