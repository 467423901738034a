"""The weak label of one picture: coarse mask, prompts, the backbone's mask, what is dropped (section 3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, UInt

from sammed.datasets.pseudo.coarse.config import CoarseConfig
from sammed.datasets.pseudo.coarse.region_prompts import region_prompts
from sammed.datasets.pseudo.proposals.config import ProposalConfig
from sammed.datasets.pseudo.proposals.proposing import propose
from sammed.datasets.pseudo.slice_logits import highest_label, prompted_logits, unprompted_logits
from sammed.embeddings.scan import Scan
from sammed.metrics.evaluation import dice
from sammed_volumes.intensity import with_channels

Dropped = Literal["empty", "uniform", "contradictory"]
_PROPOSALS = 20  # the best so many are looked at


@dataclass(frozen=True, slots=True, eq=False)
class WeakLabel:
    """Values of one picture, how coarse and weak mask agree for each value (Dice), and which were dropped.

    `dropped` says of a value why it has no mask: the coarse mask was empty, nearly all of the mask was one
    class, or coarse and weak mask of some value agreed too little. `ignore` is where nothing is known: all of
    a picture without a mask, else what a dropped mask held.
    """

    values: UInt[np.ndarray, "H W"]
    agreement: Mapping[int, float]
    dropped: Mapping[int, Dropped]
    ignore: Bool[np.ndarray, "H W"]


def weak_label(
    scan: Scan,
    index: int,
    probabilities: Mapping[int, Float[np.ndarray, "H W"]],
    config: CoarseConfig,
) -> WeakLabel:
    """The weak label of a slice of the stack from a student's probabilities of each value."""
    logits: dict[int, np.ndarray] = {}
    for value, probability in probabilities.items():
        prompts = list(region_prompts(probability, config.prompts, config))
        if prompts:
            logits[value] = prompted_logits(scan, index, prompts)
    found = _settled(logits, _shape(scan), tuple(probabilities), config)
    agreement = {
        value: dice(found.values == value, probabilities[value] > config.threshold)
        for value in probabilities
        if value not in found.dropped
    }
    if any(agreed < config.least_agreement for agreed in agreement.values()):
        return _contradictory(found, agreement)
    return WeakLabel(found.values, agreement, found.dropped, found.ignore)


def _contradictory(found: WeakLabel, agreement: Mapping[int, float]) -> WeakLabel:
    """All of the slice is unknown: an object that neither mask shows would else pass for background."""
    dropped: dict[int, Dropped] = {**found.dropped, **dict.fromkeys(agreement, "contradictory")}
    values = np.zeros_like(found.values)
    return WeakLabel(values, {}, dropped, np.ones(values.shape, dtype=bool))


def baseline_label(scan: Scan, index: int, value: int, config: CoarseConfig) -> WeakLabel:
    """What the backbone makes of a slice when nobody says where the object is, as the label `value`."""
    logits: dict[int, np.ndarray] = {}
    if config.prompts == "none":
        logits[value] = unprompted_logits(scan, index)
    else:
        mask = best_proposal(scan, index, config.most_of_one_class)
        if mask is not None:
            logits[value] = np.where(mask, 1.0, -1.0)
    return _settled(logits, _shape(scan), (value,), config)


def best_proposal(scan: Scan, index: int, most: float) -> Bool[np.ndarray, "H W"] | None:
    """The best of the backbone's own masks of a slice that isn't nearly all one class; None where all are."""
    shown = with_channels(scan.image(index))
    spacing = scan.slicing.pixel_spacing_mm
    proposals = propose(scan.backbone, shown, spacing, ProposalConfig(most=_PROPOSALS))
    masks = (proposals.mask(place) for place in range(proposals.count))
    return next((mask for mask in masks if not is_uniform(mask, most)), None)


def is_uniform(mask: Bool[np.ndarray, "H W"], most: float) -> bool:
    """Whether more than the share `most` of a mask is of one class, the object or the background."""
    share = float(mask.mean())
    return max(share, 1 - share) > most


def _settled(
    logits: Mapping[int, Float[np.ndarray, "H W"]],
    shape: tuple[int, int],
    wanted: tuple[int, ...],
    config: CoarseConfig,
) -> WeakLabel:
    """Logits as values, those of masks that are nearly all one class taken out."""
    values = highest_label(logits, shape)
    dropped: dict[int, Dropped] = {value: "empty" for value in wanted if value not in logits}
    for value in logits:
        if is_uniform(values == value, config.most_of_one_class):
            dropped[value] = "uniform"
    gone = np.isin(values, list(dropped))
    values[gone] = 0
    ignore = np.ones(shape, dtype=bool) if len(dropped) == len(wanted) else gone
    return WeakLabel(values, {}, dropped, ignore)


def _shape(scan: Scan) -> tuple[int, int]:
    return scan.frame.height, scan.frame.width
