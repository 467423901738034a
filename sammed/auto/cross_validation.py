"""Cross-validation: choose how each label is segmented by holding annotated slices out in turn.

SAP-Net is trained without some annotated slices and applied to them and their neighbors. Every rule of
`sammed.auto.prompting` writes prompts from its coarse masks, and the trained prompt encoder decodes them. The
rule, the mask and the smoothing with the best Dice on the held-out slices are chosen, unless they are hardly
better than the usual ones: a box with a margin, the mean of coarse and decoded logits, and for thin slices a
Gaussian of 1.5 slices. The prompt encoder has seen the held-out slices; training it again for each fold would
cost more than everything else. On the same slices the mixture for the annotated volume is found
(`sammed.auto.mixture`).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from sammed.annotations.annotations import Annotations
from sammed.auto.decoding import decode_coarse
from sammed.auto.fusion import MASKS_FROM, RADIUS, mix, smooth
from sammed.auto.held_out import HeldOut, hold_out
from sammed.auto.label_choice import LabelChoice
from sammed.auto.mixture import weigh_voices
from sammed.auto.neighbors import Neighbors
from sammed.auto.prompting import RULES, coarse_on_mask_grid
from sammed.auto.sap_training import SapTrainingConfig
from sammed.embeddings.scan import Scan
from sammed.errors import ConfigError
from sammed.metrics.evaluation import dice

T = TypeVar("T")

USUAL_RULE = "box-margin"
"""The biased Dice (equation 7) punishes false positives, so coarse masks tend to be too small."""

USUAL_WIDTH_SLICES = 1.5
WIDTHS_SLICES = (0.0, 0.75, 2.25)
"""Widths of smoothing that are tried besides the usual one."""


@dataclass(frozen=True, slots=True)
class CrossValidationConfig:
    """What cross-validation tries, and what must be gained before it leaves the usual way."""

    folds: int = 3  # at most; fewer annotated slices make as many folds
    steps: int = 60  # of SAP-Net in a fold: fewer slices, fewer steps
    least_gain: float = 0.01  # of Dice, before the box without a margin is taken: less is noise
    # What a rule with points or coarse masks must gain. The prompt encoder has seen the held-out slices, and
    # of these prompts, which are new to the backbone, it has learned those very slices' own.
    least_gain_of_others: float = 0.1
    # What another mask or width must gain. It is large because holding out flatters the decoder, whose prompt
    # encoder has seen the slices, and wrongs SAP-Net, which had fewer slices than it will have.
    least_departure: float = 0.05
    # Slices with the label below which the usual mask stays. With two, SAP-Net is
    # trained on one of them, which says nothing about how good its masks are in the whole volume.
    fewest_shown: int = 3
    # Slices further apart than this say little about each other.
    thickest_smoothed_mm: float = 5.0

    def __post_init__(self) -> None:
        if self.folds < 2 or self.steps < 1:
            raise ConfigError("Cross-validation needs at least two folds and one step.")
        if self.fewest_shown < 2:
            raise ConfigError("Cross-validation needs two slices or more to choose a mask.")
        gains = (self.least_gain, self.least_gain_of_others, self.least_departure)
        if min(*gains, self.thickest_smoothed_mm) < 0:
            raise ConfigError("Cross-validation takes no negative gain or thickness.")

    def radius(self, slice_spacing_mm: float) -> int:
        """Neighbors on each side that a mask is smoothed with; 0 for thick slices."""
        return RADIUS if slice_spacing_mm <= self.thickest_smoothed_mm else 0


def cross_validate(
    scan: Scan,
    annotations: Annotations,
    encoders: Mapping[int, nn.Module],
    training: SapTrainingConfig,
    config: CrossValidationConfig,
    generator: torch.Generator,
    progress: Callable[[int], None] | None = None,
) -> dict[int, LabelChoice]:
    """Choose how each label is segmented.

    `encoders` are the trained prompt encoders; they and the result are by label value. `progress` is called
    once for each label.
    """
    radius = config.radius(scan.slicing.slice_spacing_mm)
    in_a_fold = replace(training, steps=config.steps)
    held_out = hold_out(scan, annotations, in_a_fold, config.folds, radius, generator)
    choices = {}
    for column, label in enumerate(annotations.labels):
        trial = _Trial(scan, annotations.mask(label), held_out, column, encoders[label.value])
        one_case = training.network.positions  # otherwise neighbors in the stack have nothing in common
        count = annotations.objects(label) if one_case else annotations.components(label)
        plain = LabelChoice(components=count)
        several = len(annotations.showing(label)) > 1
        choices[label.value] = _best(trial, plain, config) if several else plain
        if progress is not None:
            progress(1)
    mixtures = weigh_voices(scan, Neighbors(scan, annotations), held_out, encoders, choices)
    return {value: replace(choice, mixture=mixtures[value]) for value, choice in choices.items()}


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    """Logits of the held-out slices, computed once: the coarse masks, and each rule's decoding of them."""

    coarse: Float[Tensor, "L M M"]
    decoded: Mapping[str, Float[Tensor, "L M M"]]

    def logits(self, choice: LabelChoice) -> Float[Tensor, "L M M"]:
        """The held-out slices as a choice makes them, without smoothing."""
        return mix(self.coarse, self.decoded[choice.rule_name], choice.mask_from)


@dataclass(frozen=True, slots=True, eq=False)
class _Trial:
    """One label's held-out slices, segmented in any way and compared with the annotated masks."""

    scan: Scan
    truth: Bool[np.ndarray, "A H W"]
    held_out: Sequence[HeldOut]
    column: int
    encoder: nn.Module

    @property
    def shown(self) -> int:
        """How many of the held-out slices show the label."""
        return sum(bool(self.truth[each.row].any()) for each in self.held_out)

    @property
    def has_neighbors(self) -> bool:
        """Whether the windows hold more than the held-out slices."""
        return self.held_out[0].middle > 0

    def coarse(self) -> Float[Tensor, "L M M"]:
        """Coarse logits of the held-out slices on the mask grid."""
        middles = [each.coarse[each.middle, self.column][None] for each in self.held_out]
        return coarse_on_mask_grid(torch.cat(middles), self.scan.frame)

    def table(self) -> _Table:
        """Decode the held-out slices by every rule."""
        coarse = self.coarse()
        indices = [each.window[each.middle] for each in self.held_out]
        return _Table(coarse, {name: self._decoded(indices, coarse, name) for name in RULES})

    def windows(self, choice: LabelChoice) -> Float[Tensor, "L W M M"]:
        """All windows as a choice makes them, without smoothing."""
        coarse = coarse_on_mask_grid(
            torch.cat([each.coarse[:, self.column] for each in self.held_out]), self.scan.frame
        )
        indices = [index for each in self.held_out for index in each.window]
        logits = mix(coarse, self._decoded(indices, coarse, choice.rule_name), choice.mask_from)
        return logits.reshape(len(self.held_out), -1, *logits.shape[1:])

    def scored(self, choice: LabelChoice, logits: Float[Tensor, "L M M"]) -> LabelChoice:
        """The choice with the Dice of its logits, all held-out slices together."""
        found = (self.scan.frame.logits_to_slice(logits) > 0).cpu().numpy()
        return replace(choice, expected_dice=dice(found, self.truth[[each.row for each in self.held_out]]))

    def _decoded(
        self, indices: Sequence[int], coarse: Float[Tensor, "N M M"], rule_name: str
    ) -> Float[Tensor, "N M M"]:
        return decode_coarse(self.scan, self.encoder, indices, coarse, RULES[rule_name])


def _best(trial: _Trial, plain: LabelChoice, config: CrossValidationConfig) -> LabelChoice:
    """Choose the rule first, then the mask, then the smoothing."""
    choice = _unsmoothed(trial, replace(plain, mask_from="mean"), config)
    if not trial.has_neighbors:
        return choice
    return _best_of(_smoothed(trial, choice), config.least_departure)


def _unsmoothed(trial: _Trial, usual: LabelChoice, config: CrossValidationConfig) -> LabelChoice:
    """Choose the rule and then the mask from a table, which is freed before the windows are decoded."""
    table = trial.table()

    def scored(choice: LabelChoice) -> LabelChoice:
        return trial.scored(choice, table.logits(choice))

    choice = best_rule([scored(replace(usual, rule_name=name)) for name in _first(USUAL_RULE, RULES)], config)
    if trial.shown < config.fewest_shown:
        return choice
    masks = [scored(replace(choice, mask_from=each)) for each in _first(choice.mask_from, MASKS_FROM)]
    return _best_of(masks, config.least_departure)


def _first(usual: T, every: Iterable[T]) -> list[T]:
    return [usual, *(each for each in every if each != usual)]


def _smoothed(trial: _Trial, choice: LabelChoice) -> Iterable[LabelChoice]:
    """The same choice with every width of smoothing, the usual one first."""
    windows, middle = trial.windows(choice), trial.held_out[0].middle
    spacing_mm = trial.scan.slicing.slice_spacing_mm
    for width in (USUAL_WIDTH_SLICES, *WIDTHS_SLICES):
        logits = torch.stack([smooth(window, width)[middle] for window in windows])
        yield trial.scored(replace(choice, smoothing_mm=width * spacing_mm), logits)


def best_rule(choices: Sequence[LabelChoice], config: CrossValidationConfig) -> LabelChoice:
    """Choose the better box, unless another rule gains much over it. The usual box comes first."""
    boxes = [choice for choice in choices if choice.rule.is_box]
    others = [choice for choice in choices if not choice.rule.is_box]
    return _best_of([_best_of(boxes, config.least_gain), *others], config.least_gain_of_others)


def _best_of(choices: Iterable[LabelChoice], least_gain: float) -> LabelChoice:
    """Choose the first, unless another gains more than `least_gain` over it."""
    first, *others = choices
    best = max(others, key=lambda choice: choice.expected_dice or 0.0)
    gain = (best.expected_dice or 0.0) - (first.expected_dice or 0.0)
    return best if gain > least_gain else first
