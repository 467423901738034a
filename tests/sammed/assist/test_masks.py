"""Decoding many prompts at once."""

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from sammed.assist.masks import EMPTY_LOGIT, decode_prompts, unite
from sammed.backbones.backbone import Backbone
from sammed.errors import PromptError
from sammed.prompts.prompt import Prompt

if TYPE_CHECKING:
    from tests.sammed.assist.conftest import Slices


def mixed_prompts() -> tuple[list[Prompt], list[int]]:
    """Prompts of five forms in no order, with the slice of each."""
    rng = np.random.default_rng(0)

    def points(count: int) -> tuple[np.ndarray, np.ndarray]:
        return rng.uniform(0, 39, (count, 2)), rng.integers(0, 2, count)

    box = np.array([5.0, 6.0, 20.0, 25.0])
    coarse = torch.from_numpy(rng.normal(0, 4, (64, 64)).astype(np.float32))
    prompts = [
        Prompt(*points(3)),
        Prompt(box_xyxy_slice=box),
        Prompt(*points(5)),
        Prompt(*points(3)),
        Prompt(*points(3), box),
        Prompt(coarse_logits=coarse),
        Prompt(box_xyxy_slice=box + 3, coarse_logits=-coarse),
        Prompt(box_xyxy_slice=box + 4),
    ]
    return prompts, [0, 1, 2, 1, 0, 2, 0, 2]


@pytest.mark.parametrize("batch_size", [1, 2, 8])
def test_a_batch_gives_what_one_by_one_gives(
    tiny_backbone: Backbone, slices: "Slices", batch_size: int
) -> None:
    prompts, slice_of = mixed_prompts()
    encoder, frame = tiny_backbone.prompt_encoder, slices.frame
    together = decode_prompts(tiny_backbone, encoder, slices.embeddings, prompts, slice_of, frame, batch_size)
    assert together.shape == (8, 64, 64)
    for index, (prompt, row) in enumerate(zip(prompts, slice_of, strict=True)):
        alone = decode_prompts(tiny_backbone, encoder, slices.embeddings[[row]], [prompt], [0], frame)
        torch.testing.assert_close(together[index], alone[0], atol=1e-4, rtol=1e-4)


def test_a_prompt_is_about_its_own_slice(tiny_backbone: Backbone, slices: "Slices") -> None:
    prompt = Prompt(box_xyxy_slice=np.array([5.0, 6.0, 20.0, 25.0]))
    encoder = tiny_backbone.prompt_encoder
    first, other = decode_prompts(
        tiny_backbone, encoder, slices.embeddings, [prompt, prompt], [0, 1], slices.frame
    )
    assert not torch.allclose(first, other)


def test_no_prompts_give_no_masks(tiny_backbone: Backbone, slices: "Slices") -> None:
    logits = decode_prompts(
        tiny_backbone, tiny_backbone.prompt_encoder, slices.embeddings, [], [], slices.frame
    )
    assert logits.shape == (0, 64, 64)


def test_a_prompt_outside_the_slice_is_rejected(tiny_backbone: Backbone, slices: "Slices") -> None:
    prompt = Prompt(box_xyxy_slice=np.array([5.0, 6.0, 20.0, 45.0]))
    with pytest.raises(PromptError, match="outside the slice of 48 x 40 pixels"):
        decode_prompts(
            tiny_backbone, tiny_backbone.prompt_encoder, slices.embeddings, [prompt], [0], slices.frame
        )


def test_instances_unite_by_their_maximum() -> None:
    logits = torch.tensor([[[1.0, -2.0]], [[-3.0, 4.0]], [[0.5, 0.5]]])
    united = unite(logits, [2, 2, 0], 4)
    assert united[2].tolist() == [[1.0, 4.0]]
    assert united[0].tolist() == [[0.5, 0.5]]
    assert (united[[1, 3]] == EMPTY_LOGIT).all()
