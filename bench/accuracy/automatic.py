"""SAM_auto as it is, the paper's plain way, the coarse mask alone, and boxes from the truth."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float, UInt
from torch import Tensor, nn

from bench.accuracy.rows import FROM_TRUTH, Row
from bench.accuracy.trials import Trial
from bench.skills import learn_annotated
from sammed.assist.masks import decode_prompts, unite
from sammed.auto.label_choice import LabelChoice, Mixture
from sammed.auto.labeling import highest_wins, label_stack
from sammed.auto.prompting import PAPER_RULE, write_prompts
from sammed.prompts.prompt import Prompt
from sammed.skills.model import AutoModel

TABLE = "automatic"
LEARNED = "automatic, without the voices of the neighbors"
PLAIN_WAY = "automatic, the paper's plain way"
Encoders = Mapping[int, nn.Module]


def automatic(trial: Trial) -> Iterator[Row]:
    """Learn a skill, and yield the Dice of each way to label with it."""
    started = time.perf_counter()
    skill = learn_annotated(trial.scan, trial.annotations, trial.seed).model
    seconds = time.perf_counter() - started
    auto, labels = skill.require_auto(), skill.labels
    encoders = {label.value: skill.prompt_encoder(trial.scan.backbone, label) for label in labels}
    found = label_stack(
        trial.scan, auto.sap_net, encoders, auto.choices, labels, annotations=trial.annotations
    )
    yield from trial.scores(TABLE, "automatic", found.stack, _details(auto, seconds))
    yield from trial.scores_between_and_beyond(TABLE, "automatic", found.stack)
    found = label_stack(
        trial.scan, auto.sap_net, encoders, _learned(auto), labels, annotations=trial.annotations
    )
    yield from trial.scores(TABLE, LEARNED, found.stack)
    for way, choices in _plain_ways(auto):
        found = label_stack(trial.scan, auto.sap_net, encoders, choices, labels)
        yield from trial.scores(TABLE, way, found.stack)
    yield from trial.scores(TABLE, FROM_TRUTH, _from_truth(trial, encoders))


def _learned(auto: AutoModel) -> Mapping[int, LabelChoice]:
    alone = Mixture(learned=1.0, flow=0.0, walker=0.0)
    return {value: replace(choice, mixture=alone) for value, choice in auto.choices.items()}


def _plain_ways(auto: AutoModel) -> Iterator[tuple[str, Mapping[int, LabelChoice]]]:
    plain = {value: LabelChoice(components=choice.components) for value, choice in auto.choices.items()}
    yield PLAIN_WAY, plain
    yield "coarse mask alone", {value: replace(choice, mask_from="coarse") for value, choice in plain.items()}


def _details(auto: AutoModel, seconds: float) -> dict[int, str]:
    return {value: f"{_text(choice)}; learned in {seconds:.0f} s" for value, choice in auto.choices.items()}


def _text(choice: LabelChoice) -> str:
    mixture = choice.mixture
    heard = f"learned {mixture.learned:.2f}, flow {mixture.flow:.2f}, walker {mixture.walker:.2f}"
    made = f"{choice.rule_name}, {choice.mask_from}, {choice.smoothing_mm:g} mm, K={choice.components}"
    return f"{made}, {heard}"


def _from_truth(trial: Trial, encoders: Encoders) -> UInt[np.ndarray, "S H W"]:
    """Return the labels that a skill makes from exact boxes around the components of the truth."""
    labels = trial.annotations.labels
    logits = []
    for label in labels:
        true = torch.from_numpy(np.ascontiguousarray(trial.truth == label.value))
        grid = trial.scan.frame.masks_to_mask_grid(true) - 0.5
        logits.append(_decoded(trial, encoders[label.value], grid))
    return highest_wins(trial.scan, logits, labels)


def _decoded(trial: Trial, encoder: nn.Module, grid: Float[Tensor, "S M M"]) -> Float[Tensor, "S M M"]:
    scan = trial.scan
    prompts: list[Prompt] = []
    slices: list[int] = []
    for index, each in enumerate(grid):
        written = list(write_prompts(each, scan.frame, PAPER_RULE))
        prompts += written
        slices += [index] * len(written)
    shown = sorted(set(slices))
    rows = [shown.index(index) for index in slices]
    decoded = decode_prompts(scan.backbone, encoder, scan.embeddings(shown), prompts, rows, scan.frame)
    return unite(decoded, slices, len(grid))
