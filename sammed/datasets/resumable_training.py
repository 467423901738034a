"""The loop of a training that continues after a kill, the same for students and diffusion models.

What a step sees follows from the seed and the step's number alone. A checkpoint therefore holds weights, the
optimizer's state and the progress, and no random state.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from sammed.errors import SammedError
from sammed.progress import Reporter
from sammed.storage.checkpoint import Checkpoint, Progress

_ORDER = 1  # what a seed is for; other purposes have other numbers


def run_steps(
    name: str,
    start: Progress,
    total: int,
    advance: Callable[[Progress], Progress],
    checkpoint: Checkpoint[Progress],
    checkpoint_seconds: float,
    reporter: Reporter,
) -> Progress:
    """Take all remaining steps from the checkpoint, or from `start` without one; return the final progress.

    `advance` takes one step. The state is saved every `checkpoint_seconds` and after the last step.
    """
    progress = checkpoint.resume() or start
    if progress is not start:
        reporter.message(f"Training continues after step {progress.step} of {total}.")
    saved = time.monotonic()
    with reporter.task(name, total) as task:
        task.advance(progress.step)
        while progress.step < total:
            progress = advance(progress)
            task.advance()
            if progress.step == total or time.monotonic() - saved >= checkpoint_seconds:
                checkpoint.save(progress)
                saved = time.monotonic()
    return progress


def descend(loss: Tensor, optimizer: torch.optim.Optimizer, step: int, error: type[SammedError]) -> float:
    """Take one optimizer step and return the loss; raise `error` where it is not a finite number."""
    value = loss.item()
    if not math.isfinite(value):
        raise error(f"The loss is {value} at step {step + 1}; use a lower learning rate.")
    optimizer.zero_grad()
    torch.autograd.backward(loss)
    optimizer.step()
    return value


def shuffled_row(place: int, count: int, seed: int) -> int:
    """Return which of `count` rows stands at a place of the endless order, each row once an epoch."""
    epoch, position = divmod(place, count)
    return int(np.random.default_rng((seed, _ORDER, epoch)).permutation(count)[position])
