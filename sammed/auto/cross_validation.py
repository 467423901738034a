"""Choosing: how each label's masks are made, found out by leaving annotated slices out in turn.

SAP-Net is learned without some annotated slices and asked for them and their neighbors. Every rule of
`sammed.auto.prompting` then writes prompts from its coarse masks, the learned prompt encoder decodes them,
and the rule, the source and the smoothing with the best Dice on the slices left out are taken, unless they
are hardly better than the usual ones: a box with a margin, the mean of coarse and decoded logits, and for
thin slices a Gaussian of 1.5 slices. The prompt encoder has seen the slices left out; learning it again for
each fold would cost more than all the rest. How far the shapes between annotated slices are to be trusted is
fitted on the same slices.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from sammed.auto.annotations import Annotations
from sammed.auto.decoding import decode_coarse
from sammed.auto.fusion import LARGEST_LOGIT, RADIUS, SOURCES, USUAL_DOUBT, LabelChoice, mix, smooth
from sammed.auto.prompting import RULES, coarse_on_mask_grid
from sammed.auto.sap_training import SapLearningConfig, learn_sap_net, prepare_episodes
from sammed.auto.shapes import drawn_shapes, fitted_doubt
from sammed.embeddings.scan import Scan
from sammed.errors import ConfigError
from sammed.metrics.evaluation import dice
from sammed_volumes.labels import Label

USUAL_RULE = "box-margin"
"""The biased Dice (equation 7) punishes what is too much, so that coarse masks are rather too small."""

USUAL_WIDTH_SLICES = 1.5
WIDTHS_SLICES = (0.0, 0.75, 2.25)
"""Widths of smoothing that are tried beside the usual one."""


@dataclass(frozen=True, slots=True)
class ChoosingConfig:
    """What is tried, and how."""

    folds: int = 3  # at most; fewer annotated slices make as many folds
    steps: int = 60  # of SAP-Net in a fold: fewer slices, fewer steps
    least_gain: float = 0.01  # of Dice, before the other box, with no margin, is taken: below is noise
    # What a rule with points or coarse masks must gain: the prompt encoder has seen the slices left out, and
    # of these prompts, which the backbone did not know, it has learned those slices' own.
    least_gain_of_others: float = 0.1
    # What a source or a width must gain before the usual one is left. It is large: leaving out flatters the
    # decoder, whose prompt encoder has seen the slices, and wrongs SAP-Net, which learned from fewer than
    # it will.
    least_departure: float = 0.05
    # Slices with the label below which the usual source and doubt stay. Of two, SAP-Net learns from one when
    # the other is left out, and what its mask is worth then says nothing of its worth in the whole volume.
    fewest_shown: int = 3
    # Slices further apart than this have little to say about each other.
    thickest_smoothed_mm: float = 5.0

    def __post_init__(self) -> None:
        if self.folds < 2 or self.steps < 1:
            raise ConfigError("Choosing needs at least two folds and one step.")
        if self.fewest_shown < 2:
            raise ConfigError("A source and a doubt are chosen with two slices or more.")
        gains = (self.least_gain, self.least_gain_of_others, self.least_departure)
        if min(*gains, self.thickest_smoothed_mm) < 0:
            raise ConfigError("Choosing takes no negative gain or thickness.")


@dataclass(frozen=True, slots=True, eq=False)
class LeftOut:
    """An annotated slice and the coarse masks, of it and its neighbors, from a net that never saw it.

    `row` counts among the annotated slices; `window` are slices of the stack with the one left out in the
    middle, where a neighbor beyond the stack's end is the end again.
    """

    row: int
    window: tuple[int, ...]
    coarse: Float[Tensor, "W k h w"]

    @property
    def middle(self) -> int:
        """The position of the slice left out in its window."""
        return len(self.window) // 2


def choose(
    scan: Scan,
    annotations: Annotations,
    encoders: Mapping[int, nn.Module],
    learning: SapLearningConfig,
    config: ChoosingConfig,
    generator: torch.Generator,
    progress: Callable[[int], None] | None = None,
) -> dict[int, LabelChoice]:
    """How each label is best made, by its value; `encoders` are the learned prompt encoders by value."""
    left_out = leave_out(scan, annotations, learning, config, generator)
    choices = {}
    for column, label in enumerate(annotations.labels):
        trial = _Trial(scan, annotations.mask(label), left_out, column, encoders[label.value])
        of_one_case = learning.network.positions  # else neighbors in the stack have nothing in common
        count = annotations.objects(label) if of_one_case else annotations.components(label)
        plain = LabelChoice(components=count)
        best = _best(trial, plain, config) if len(annotations.showing(label)) > 1 else plain
        choices[label.value] = replace(best, doubt=_doubt(trial, annotations, label, config))
        if progress is not None:
            progress(1)
    return choices


def leave_out(
    scan: Scan,
    annotations: Annotations,
    learning: SapLearningConfig,
    config: ChoosingConfig,
    generator: torch.Generator,
) -> list[LeftOut]:
    """Coarse masks of all annotated slices, each from a net learned without it; none from one slice alone."""
    count = min(config.folds, len(annotations.foreground))
    if count < 2:
        return []
    empty = [row for row in range(len(annotations.indices)) if row not in annotations.foreground]
    radius = RADIUS if scan.slicing.slice_spacing_mm <= config.thickest_smoothed_mm else 0
    left_out = []
    for fold in range(count):
        rows = (*annotations.foreground[fold::count], *empty[fold::count])
        kept = annotations.without(rows)
        episodes = prepare_episodes(scan.embeddings(kept.indices), kept.tensor(), scan.frame)
        net = learn_sap_net(episodes, replace(learning, steps=config.steps), generator)
        for row in rows:
            window = _window(annotations.indices[row], radius, scan.slicing.count)
            coarse = _columns(net.coarse(scan.embeddings(window)), kept.labels, annotations.labels)
            left_out.append(LeftOut(row, window, coarse))
    return left_out


@dataclass(frozen=True, slots=True, eq=False)
class _Trial:
    """One label's masks of the slices left out, made in any way, against what the person drew."""

    scan: Scan
    truth: np.ndarray  # A H W bool
    left_out: Sequence[LeftOut]
    column: int
    encoder: nn.Module

    @property
    def shown(self) -> int:
        """How many of the slices left out show the label."""
        return sum(bool(self.truth[each.row].any()) for each in self.left_out)

    def coarse(self, whole_window: bool) -> Tensor:
        """Coarse logits on the mask grid of each slice left out, or of all slices of all windows."""
        parts = [
            each.coarse[:, self.column] if whole_window else each.coarse[each.middle, self.column][None]
            for each in self.left_out
        ]
        return coarse_on_mask_grid(torch.cat(parts), self.scan.frame)

    def decoded(self, coarse: Tensor, rule_name: str, whole_window: bool) -> Tensor:
        """The decoder's logits for the same slices."""
        indices = [
            index
            for each in self.left_out
            for index in (each.window if whole_window else (each.window[each.middle],))
        ]
        return decode_coarse(self.scan, self.encoder, indices, coarse, RULES[rule_name])

    def score(self, logits: Tensor) -> float:
        """Dice of all slices left out together."""
        found = (self.scan.frame.logits_to_slice(logits) > 0).cpu().numpy()
        return dice(found, self.truth[[each.row for each in self.left_out]])

    def smoothed(self, logits: Tensor, width: float) -> Tensor:
        """The slices left out, from logits of all windows one after another."""
        windows = logits.reshape(len(self.left_out), -1, *logits.shape[1:])  # L W g g
        middle = self.left_out[0].middle
        return torch.stack([smooth(window, width)[middle] for window in windows])


def _best(trial: _Trial, plain: LabelChoice, config: ChoosingConfig) -> LabelChoice:
    """The rule first, then the source, then the smoothing."""
    usual = replace(plain, source="mean")
    choice = best_rule(list(_rules(trial, usual)), config)
    if trial.shown >= config.fewest_shown:
        choice = _best_of(_sources(trial, choice), config.least_departure)
    if trial.left_out[0].middle == 0:
        return choice
    return _best_of(_smoothed(trial, choice), config.least_departure)


def _doubt(trial: _Trial, annotations: Annotations, label: Label, config: ChoosingConfig) -> float:
    """The doubt of the shapes between annotated slices, fitted where they are thin and enough show the label.

    Thick slices lie so far apart that what a gap of twice the width tells is not what the gap itself would.
    """
    if trial.shown < config.fewest_shown or trial.left_out[0].middle == 0:
        return USUAL_DOUBT
    scan = trial.scan
    shapes = drawn_shapes(annotations, label, scan.frame, scan.slicing.slice_spacing_mm)
    coarse = trial.coarse(whole_window=False).cpu().clamp(-LARGEST_LOGIT, LARGEST_LOGIT)
    return fitted_doubt(shapes, coarse, [each.row for each in trial.left_out])


def _rules(trial: _Trial, choice: LabelChoice) -> Iterable[LabelChoice]:
    """The same choice with every rule, the usual one first."""
    coarse = trial.coarse(whole_window=False)
    for name in sorted(RULES, key=lambda name: name != USUAL_RULE):
        logits = mix(coarse, trial.decoded(coarse, name, whole_window=False), choice.source)
        yield replace(choice, rule_name=name, expected_dice=trial.score(logits))


def _sources(trial: _Trial, choice: LabelChoice) -> Iterable[LabelChoice]:
    """The same choice with every source, its own first."""
    coarse = trial.coarse(whole_window=False)
    decoded = trial.decoded(coarse, choice.rule_name, whole_window=False)
    for source in sorted(SOURCES, key=lambda source: source != choice.source):
        yield replace(choice, source=source, expected_dice=trial.score(mix(coarse, decoded, source)))


def _smoothed(trial: _Trial, choice: LabelChoice) -> Iterable[LabelChoice]:
    """The same choice with every width of smoothing, the usual one first."""
    coarse = trial.coarse(whole_window=True)
    decoded = trial.decoded(coarse, choice.rule_name, whole_window=True)
    logits = mix(coarse, decoded, choice.source)
    spacing_mm = trial.scan.slicing.slice_spacing_mm
    for width in (USUAL_WIDTH_SLICES, *WIDTHS_SLICES):
        score = trial.score(trial.smoothed(logits, width))
        yield replace(choice, smoothing_mm=width * spacing_mm, expected_dice=score)


def best_rule(choices: Sequence[LabelChoice], config: ChoosingConfig) -> LabelChoice:
    """The better box, unless another prompt gains much over it; the usual of the two comes first."""
    boxes = [choice for choice in choices if choice.rule.is_box]
    others = [choice for choice in choices if not choice.rule.is_box]
    return _best_of([_best_of(boxes, config.least_gain), *others], config.least_gain_of_others)


def _best_of(choices: Iterable[LabelChoice], least_gain: float) -> LabelChoice:
    """The best, but the first unless another gains enough over it."""
    first, *others = choices
    best = max(others, key=lambda choice: choice.expected_dice or 0.0)
    gain = (best.expected_dice or 0.0) - (first.expected_dice or 0.0)
    return best if gain > least_gain else first


def _window(index: int, radius: int, count: int) -> tuple[int, ...]:
    return tuple(min(max(index + offset, 0), count - 1) for offset in range(-radius, radius + 1))


def _columns(
    coarse: Float[Tensor, "W j h w"], learned: Sequence[Label], wanted: Sequence[Label]
) -> Float[Tensor, "W k h w"]:
    """A column for each label wanted; one that the net never saw is nowhere."""
    nowhere = torch.full_like(coarse[:, 0], -LARGEST_LOGIT)
    columns = [coarse[:, learned.index(label)] if label in learned else nowhere for label in wanted]
    return torch.stack(columns, dim=1)
