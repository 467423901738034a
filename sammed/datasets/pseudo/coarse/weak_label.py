"""The weak label of one picture: coarse label, prompts, the backbone's mask, what is dropped (section 3)."""

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
_PROPOSALS = 20  # the number of best proposals considered


@dataclass(frozen=True, slots=True, eq=False)
class WeakLabel:
    """Values of one picture, the agreement of coarse and weak label for each value (Dice), and drops.

    `dropped` maps a value without a mask to the reason: the coarse label was empty, nearly all of the mask
    was one class, or coarse and weak label of some value disagreed. `ignore` is where the label is unknown:
    all of a picture without a mask, else the pixels of dropped masks.
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
    """Return the weak label of a slice from a student's probabilities of each value."""
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
    """Return a wholly unknown slice, because an object in neither label would pass for background."""
    dropped: dict[int, Dropped] = {**found.dropped, **dict.fromkeys(agreement, "contradictory")}
    values = np.zeros_like(found.values)
    return WeakLabel(values, {}, dropped, np.ones(values.shape, dtype=bool))


def baseline_label(scan: Scan, index: int, value: int, config: CoarseConfig) -> WeakLabel:
    """Return what the backbone finds in a slice without a prompt, as the label `value`."""
    logits: dict[int, np.ndarray] = {}
    if config.prompts == "none":
        logits[value] = unprompted_logits(scan, index)
    else:
        mask = best_proposal(scan, index, config.most_of_one_class)
        if mask is not None:
            logits[value] = np.where(mask, 1.0, -1.0)
    return _settled(logits, _shape(scan), (value,), config)


def best_proposal(scan: Scan, index: int, most: float) -> Bool[np.ndarray, "H W"] | None:
    """Return the backbone's best own mask of a slice that is not nearly uniform; None where all are."""
    shown = with_channels(scan.image(index))
    spacing = scan.slicing.pixel_spacing_mm
    proposals = propose(scan.backbone, shown, spacing, ProposalConfig(most=_PROPOSALS))
    masks = (proposals.mask(place) for place in range(proposals.count))
    return next((mask for mask in masks if not is_uniform(mask, most)), None)


def is_uniform(mask: Bool[np.ndarray, "H W"], most: float) -> bool:
    """Return whether more than the share `most` of a mask is one class, the object or the background."""
    share = float(mask.mean())
    return max(share, 1 - share) > most


def _settled(
    logits: Mapping[int, Float[np.ndarray, "H W"]],
    shape: tuple[int, int],
    wanted: tuple[int, ...],
    config: CoarseConfig,
) -> WeakLabel:
    """Return logits as values, without masks that are nearly all one class."""
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
