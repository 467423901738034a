"""The mixture: how much learning, flow and random walker count in a volume with annotated slices of its own.

"learned" is what `sammed.auto.labeling` makes with the generator and the decoder. Each voice is clamped to
+-6 before it is mixed. The weights are found label by label by leaving annotated slices out. Few slices say
little, so a prior counts as well; where none can be left out, it alone decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn

from sammed.auto.decoding import decode_coarse
from sammed.auto.fusion import LARGEST_LOGIT, mix
from sammed.auto.held_out import HeldOut
from sammed.auto.label_choice import LabelChoice, Mixture
from sammed.auto.neighbors import Neighbors
from sammed.auto.prompting import coarse_on_mask_grid
from sammed.embeddings.scan import Scan
from sammed.interpolation.voices import Ballot, leave_out

MixedVoice = Literal["learned", "flow", "random-walker"]
PRIOR: Mapping[MixedVoice, float] = {"learned": 1.0, "flow": 1.5, "random-walker": 0.5}
"""Each voice's weight before annotated slices are left out (measured on 7 volumes of 4 data sets)."""
LEAST_SHARE = 0.1
"""A voice with less than this share of the weights is not heard: it would cost time for nothing."""


def mixed(
    neighbors: Neighbors,
    mixtures: Sequence[Mixture],
    indices: Sequence[int],
    learned: Float[Tensor, "k N H W"],
) -> Float[Tensor, "k N H W"]:
    """Mix what was learned of each label in slices of the stack with what their neighbors say."""
    clamped = learned.clamp(-LARGEST_LOGIT, LARGEST_LOGIT)
    return torch.stack(
        [_mixed(neighbors, column, each, indices, clamped[column]) for column, each in enumerate(mixtures)]
    )


def _mixed(
    neighbors: Neighbors,
    column: int,
    mixture: Mixture,
    indices: Sequence[int],
    learned: Float[Tensor, "N H W"],
) -> Float[Tensor, "N H W"]:
    total = mixture.learned * learned
    if mixture.flow:
        total = total + mixture.flow * neighbors.logits("flow", column, indices)
    if mixture.walker:
        total = total + mixture.walker * neighbors.logits("random-walker", column, indices)
    return total


def weigh_voices(
    scan: Scan,
    neighbors: Neighbors,
    held_out: Sequence[HeldOut],
    encoders: Mapping[int, nn.Module],
    choices: Mapping[int, LabelChoice],
) -> dict[int, Mixture]:
    """Find each label's mixture by leaving annotated slices out; by label value.

    `held_out` has coarse masks of nets that never saw the slice. Where no slice lies between two others that
    show the label, nothing can be left out, and the usual mixture holds.
    """
    labels = neighbors.annotations.labels
    ballots: dict[int, Ballot[MixedVoice]] = {label.value: Ballot(PRIOR) for label in labels}
    coarse = {each.row: each.coarse[each.middle] for each in held_out}
    around = neighbors.around
    for left in leave_out(around.stack, around.labels, ("flow", "random-walker")):
        for place, column in enumerate(left.columns):
            value = labels[column].value
            said: dict[MixedVoice, Float32[np.ndarray, "h w"]] = {
                voice: logits[place] for voice, logits in left.logits.items()
            }
            trial = _LeftOutLabel(scan, neighbors, left.index, coarse[left.row][column])
            said["learned"] = trial.learned(said["flow"], encoders[value], choices[value])
            ballots[value].add(said, around.labels[column].masks[left.row])
    return {value: _mixture(ballot) for value, ballot in ballots.items()}


@dataclass(frozen=True, slots=True, eq=False)
class _LeftOutLabel:
    """One label in an annotated slice that was left out, and coarse log-odds of a net that never saw it."""

    scan: Scan
    neighbors: Neighbors
    index: int
    coarse: Float[Tensor, "h w"]

    def learned(
        self, flow: Float32[np.ndarray, "h w"], encoder: nn.Module, choice: LabelChoice
    ) -> Float32[np.ndarray, "h w"]:
        """Label the slice as `sammed.auto.labeling` does, guided by the flow of the other slices."""
        frame, around = self.scan.frame, self.neighbors.around
        guide = frame.masks_to_mask_grid(self.neighbors.in_slice(flow[None]))
        coarse = coarse_on_mask_grid(self.coarse[None], frame).cpu()
        guided = coarse.clamp(-LARGEST_LOGIT, LARGEST_LOGIT) + guide
        decoded = decode_coarse(self.scan, encoder, [self.index], guided, choice.rule)
        logits = frame.logits_to_slice(mix(guided, decoded, choice.mask_from))[0]
        cropped: np.ndarray = logits[around.rows, around.columns].numpy()
        return cropped


def _mixture(ballot: Ballot[MixedVoice]) -> Mixture:
    shares = ballot.weights()
    if shares is None:
        return Mixture()
    heard = {voice: share if share >= LEAST_SHARE else 0.0 for voice, share in shares.items()}
    return Mixture(heard["learned"], heard["flow"], heard["random-walker"], ballot.dice(heard))
