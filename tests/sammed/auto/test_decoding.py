"""Decoding coarse masks: each slice by its own prompts, in chunks that change nothing."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from sammed.auto import decoding
from sammed.auto.decoding import decode_coarse
from sammed.auto.prompting import RULES
from sammed.backbones.backbone import Backbone
from sammed.embeddings.scan import Scan


def discs(count: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Discs of a brightness of their own on each slice, and where they are."""
    rows, columns = np.ogrid[:64, :64]
    truth = np.stack([np.hypot(rows - 20 - 4 * index, columns - 30) < 9 for index in range(count)])
    brightness = np.linspace(0.5, 0.9, count)[:, None, None]
    return np.where(truth, brightness, 0.1), truth


def coarse_of(masks: np.ndarray) -> Tensor:
    return torch.from_numpy(np.where(masks, 3.0, -3.0)).float()


def test_each_slice_is_decoded_by_its_own_prompt(
    encode: Callable[..., Scan], brightness_backbone: Backbone
) -> None:
    stack, truth = discs()
    scan = encode(stack, brightness_backbone)
    shrunk = np.stack([truth[index] & np.roll(truth[index], 5, axis=1) for index in (4, 1, 2)])
    for rule in RULES.values():
        logits = decode_coarse(scan, brightness_backbone.prompt_encoder, [4, 1, 2], coarse_of(shrunk), rule)
        assert torch.equal(logits > 0, torch.from_numpy(truth[[4, 1, 2]])), rule.name


def test_slices_with_nothing_are_far_below_zero_and_never_encoded(
    encode: Callable[..., Scan], brightness_backbone: Backbone
) -> None:
    stack, truth = discs()
    seen: list[int] = []
    plain = encode(stack, brightness_backbone)
    scan = Scan(plain.volume, plain.slicing, plain.window, brightness_backbone, progress=seen.append)
    truth[[0, 2, 3]] = False
    logits = decode_coarse(scan, brightness_backbone.prompt_encoder, range(5), coarse_of(truth), RULES["box"])
    assert (logits > 0).flatten(1).any(1).tolist() == [False, True, False, False, True]
    assert logits[[0, 2, 3]].max() < -6
    assert len(seen) == 2


def test_nothing_anywhere_is_empty(encode: Callable[..., Scan], brightness_backbone: Backbone) -> None:
    stack, truth = discs()
    scan = encode(stack, brightness_backbone)
    coarse = coarse_of(np.zeros_like(truth))
    logits = decode_coarse(scan, brightness_backbone.prompt_encoder, range(5), coarse, RULES["box-points"])
    assert logits.shape == (5, 64, 64)
    assert logits.max() < -6


@pytest.mark.parametrize("chunk", [1, 2, 3])
def test_chunks_change_nothing(
    chunk: int,
    encode: Callable[..., Scan],
    tiny_backbone: Backbone,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stack, truth = discs()
    truth[2] = False
    scan = encode(stack, tiny_backbone)

    def decode() -> Tensor:
        return decode_coarse(
            scan, tiny_backbone.prompt_encoder, range(5), coarse_of(truth), RULES["box-points"]
        )

    whole = decode()
    monkeypatch.setattr(decoding, "CHUNK", chunk)
    torch.testing.assert_close(decode(), whole, atol=1e-4, rtol=1e-4)


def test_pieces_of_a_slice_are_united(encode: Callable[..., Scan], brightness_backbone: Backbone) -> None:
    """Two discs of different brightness: one prompt for both would find neither."""
    rows, columns = np.ogrid[:64, :64]
    left, right = np.hypot(rows - 30, columns - 15) < 8, np.hypot(rows - 30, columns - 45) < 8
    scan = encode(np.where(left, 0.9, np.where(right, 0.5, 0.1))[None], brightness_backbone)
    logits = decode_coarse(
        scan, brightness_backbone.prompt_encoder, [0], coarse_of((left | right)[None]), RULES["box"]
    )
    assert torch.equal(logits[0] > 0, torch.from_numpy(left | right))
