"""Figure 7, tables 2 to 4: prompts of simulated users, with the plain and the learned prompt encoder."""

import time
from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Int64
from torch import nn

from bench.accuracy.rows import Row
from bench.accuracy.trials import Trial
from sammed.assist.clicks import ClickPlan, ClickScore, simulate_clicks
from sammed.assist.config import AssistConfig
from sammed.assist.training import train_prompt_encoder
from sammed_volumes.labels import Label

SLICES = 12  # as informative as all of them


def assist(trial: Trial) -> Iterator[Row]:
    """Yield the Dice of each way to prompt, label by label."""
    for label in trial.annotations.labels:
        encoder, detail = _learn(trial, label)
        shown = _shown(trial, label)
        for name, each in (("plain", trial.scan.backbone.prompt_encoder), ("learned", encoder)):
            for score in _click(trial, label, each, shown):
                way = f"{name}, {score.prompt} {score.count or ''}".strip()
                slices = f"over slices {score.dice_mean:.3f} ± {score.dice_std:.3f}"
                yield trial.row("assist", label, way, score.dice_together, f"{slices}; {detail}")


def _learn(trial: Trial, label: Label) -> tuple[nn.Module, str]:
    scan, annotations = trial.scan, trial.annotations
    rows = list(annotations.showing(label))
    started = time.perf_counter()
    learned = train_prompt_encoder(
        scan.backbone,
        scan.embeddings([annotations.indices[row] for row in rows]),
        annotations.mask(label)[rows],
        scan.frame,
        AssistConfig(),
        torch.Generator().manual_seed(trial.seed),
    )
    return learned.encoder, f"learned in {time.perf_counter() - started:.0f} s, {learned.steps} steps"


def _shown(trial: Trial, label: Label) -> Int64[np.ndarray, " U"]:
    """Return about a dozen slices that show the label and were not annotated."""
    shown = trial.others[(trial.truth[trial.others] == label.value).any(axis=(1, 2))]
    some: Int64[np.ndarray, " U"] = shown[:: max(1, len(shown) // SLICES)]
    return some


def _click(
    trial: Trial, label: Label, encoder: nn.Module, shown: Int64[np.ndarray, " U"]
) -> tuple[ClickScore, ...]:
    scan, masks = trial.scan, trial.truth[shown] == label.value
    embeddings = scan.embeddings(shown.tolist())
    return simulate_clicks(scan.backbone, encoder, embeddings, masks, scan.frame, ClickPlan(), trial.seed)
