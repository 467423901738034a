"""The imitation of a generator's coarse mask."""

import numpy as np
import torch
from torch import Tensor

from sammed.prompts.coarse import COARSE_LIMIT, degrade


def square(size: int = 32, start: int = 10, stop: int = 22) -> Tensor:
    shares = torch.zeros(size, size)
    shares[start:stop, start:stop] = 1.0
    return shares


def overlap(logits: Tensor, shares: Tensor) -> float:
    """Dice of a coarse mask and the true one on the mask grid."""
    found = logits > 0
    true = shares.repeat_interleave(4, 0).repeat_interleave(4, 1) > 0.5
    return float(2 * (found & true).sum() / (found.sum() + true.sum()))


def test_a_coarse_mask_is_near_the_true_one_and_not_the_same() -> None:
    rng = np.random.default_rng(0)
    dices = [overlap(degrade(square(), rng), square()) for _ in range(30)]
    assert min(dices) > 0.75
    assert max(dices) < 1.0
    assert np.std(dices) > 0.01


def test_logits_are_limited_and_on_the_mask_grid() -> None:
    logits = degrade(square(), np.random.default_rng(1))
    assert logits.shape == (128, 128)
    assert logits.abs().max() <= COARSE_LIMIT
    assert logits.dtype == torch.float32


def test_an_object_thinner_than_a_cell_is_still_seen() -> None:
    shares = torch.zeros(32, 32)
    shares[5:25, 12] = 0.4
    rng = np.random.default_rng(2)
    assert all((degrade(shares, rng) > 0).any() for _ in range(30))


def test_the_seed_decides() -> None:
    first, again, other = (degrade(square(), np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
