"""The mixture: voices that predict the slices left out count more, and few slices change little."""

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from sammed.annotations.annotations import Annotations
from sammed.auto import mixture as mixture_module
from sammed.auto.held_out import HeldOut
from sammed.auto.label_choice import LabelChoice, Mixture
from sammed.auto.mixture import mixed, weigh_voices
from sammed.auto.neighbors import Neighbors
from sammed.auto.prompting import PromptRule
from sammed.backbones.backbone import Backbone
from sammed.embeddings.scan import Scan
from sammed.errors import ConfigError
from tests.sammed.auto.test_neighbors import drifting

ROWS = (1, 3, 5, 7, 9)
Weigh = Callable[..., Mixture]


@pytest.fixture
def weigh(
    encode: Callable[..., Scan],
    annotate: Callable[..., Annotations],
    tiny_backbone: Backbone,
    monkeypatch: pytest.MonkeyPatch,
) -> Weigh:
    """Weigh the voices of label 2, which the decoder sees `shift` pixels to the right of where it is."""

    def weighed(shift: int, rows: tuple[int, ...] = ROWS) -> Mixture:
        stack, truth = drifting()
        scan, annotations = encode(stack, tiny_backbone), annotate(np.where(truth == 2, 2, 0), rows)
        shown = np.where(np.roll(truth == 2, shift, axis=2), 6.0, -6.0).astype(np.float32)
        decoded = scan.frame.masks_to_mask_grid(torch.from_numpy(shown))

        def decode(
            _scan: Scan, _encoder: nn.Module, indices: Sequence[int], _coarse: Tensor, _rule: PromptRule
        ) -> Tensor:
            return decoded[list(indices)]

        monkeypatch.setattr(mixture_module, "decode_coarse", decode)
        silent = torch.full((1, 1, scan.frame.embedding_size, scan.frame.embedding_size), -6.0)
        held_out = [HeldOut(row, (index,), silent) for row, index in enumerate(rows)]
        neighbors = Neighbors(scan, annotations)
        return weigh_voices(scan, neighbors, held_out, {2: nn.Identity()}, {2: LabelChoice()})[2]

    return weighed


def test_what_learning_predicts_better_counts_more(weigh: Weigh) -> None:
    right, wrong = weigh(0), weigh(9)
    assert right.learned > 2 * wrong.learned
    assert right.expected_dice is not None
    assert right.expected_dice > 0.95


def test_a_voice_that_is_hardly_heard_is_silent(weigh: Weigh) -> None:
    assert weigh(40).learned == 0
    assert weigh(40).flow > 0


def test_the_usual_mixture_where_no_slice_lies_between_two_others(weigh: Weigh) -> None:
    assert weigh(0, (3, 7)) == Mixture()


def test_mixing_is_a_weighted_mean_of_clamped_voices() -> None:
    said = {"flow": 4.0, "random-walker": -2.0}

    def logits(voice: str, column: int, indices: Sequence[int]) -> Tensor:
        return torch.full((len(indices), 3, 5), said[voice] + column)

    neighbors = cast(Neighbors, SimpleNamespace(logits=logits))
    mixtures = [Mixture(0.5, 0.25, 0.25), Mixture(1.0, 0.0, 0.0)]
    learned = torch.full((2, 4, 3, 5), 100.0)
    found = mixed(neighbors, mixtures, range(4), learned)
    assert found.shape == learned.shape
    assert torch.equal(found[0], torch.full((4, 3, 5), 0.5 * 6 + 0.25 * 4 - 0.25 * 2))
    assert torch.equal(found[1], torch.full((4, 3, 5), 6.0))


@pytest.mark.parametrize("weights", [(-1.0, 1.0, 1.0), (0.0, 0.0, 0.0), (float("nan"), 1.0, 1.0)])
def test_weights_that_mean_nothing_are_refused(weights: tuple[float, float, float]) -> None:
    with pytest.raises(ConfigError, match="weights"):
        Mixture(*weights)
