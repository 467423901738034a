"""What the annotated slices of a volume say about its other slices."""

from collections.abc import Callable

import numpy as np
import torch

from sammed.annotations.annotations import Annotations
from sammed.auto.neighbors import Neighbors
from sammed.backbones.backbone import Backbone
from sammed.embeddings.scan import Scan
from sammed.interpolation.voices import VOICES

HEIGHT, WIDTH, COUNT = 61, 83, 11
INDICES = (1, 4, 8)


def drifting() -> tuple[np.ndarray, np.ndarray]:
    """Image and truth: two discs that drift to the right, in slices 1 to 9."""
    rows, columns = np.ogrid[:HEIGHT, :WIDTH]
    truth = np.zeros((COUNT, HEIGHT, WIDTH), dtype=np.uint8)
    for index in range(1, 10):
        truth[index, np.hypot(rows - 20, columns - 15 - index) < 9] = 2
        truth[index, np.hypot(rows - 45, columns - 30 - index) < 6] = 5
    noise = np.random.default_rng(0).normal(0, 0.02, truth.shape)
    return np.clip(np.choose(truth, [0.2, 0, 0.8, 0, 0, 0.6]) + noise, 0, 1), truth


def neighbors(
    encode: Callable[..., Scan], annotate: Callable[..., Annotations], backbone: Backbone
) -> tuple[Neighbors, np.ndarray]:
    stack, truth = drifting()
    return Neighbors(encode(stack, backbone), annotate(truth, INDICES)), truth


def test_both_voices_find_the_labels_between_the_annotated_slices(
    encode: Callable[..., Scan], annotate: Callable[..., Annotations], tiny_backbone: Backbone
) -> None:
    found, truth = neighbors(encode, annotate, tiny_backbone)
    between = [2, 3, 5, 6, 7]
    for voice in VOICES:
        for column, value in enumerate((2, 5)):
            mask = found.logits(voice, column, between).numpy() > 0
            true = truth[between] == value
            assert 2 * (mask & true).sum() > 0.9 * (mask.sum() + true.sum()), f"{voice} lost label {value}"


def test_annotated_slices_are_sure_and_nothing_is_beyond_the_labels_reach(
    encode: Callable[..., Scan], annotate: Callable[..., Annotations], tiny_backbone: Backbone
) -> None:
    found, truth = neighbors(encode, annotate, tiny_backbone)
    for voice in VOICES:
        logits = found.logits(voice, 0, INDICES).numpy()
        np.testing.assert_array_equal(logits, np.where(truth[list(INDICES)] == 2, 6, -6))
    rows, columns = found.around.rows, found.around.columns
    every = found.logits("flow", 0, range(COUNT))
    assert every.shape == (COUNT, HEIGHT, WIDTH)
    assert every.abs().max() <= 6
    every[:, rows, columns] = -6
    assert (every == -6).all()


def test_the_guide_is_the_flow_on_the_mask_grid(
    encode: Callable[..., Scan], annotate: Callable[..., Annotations], tiny_backbone: Backbone
) -> None:
    found, truth = neighbors(encode, annotate, tiny_backbone)
    guide = found.guide(0, [1, 5])
    assert torch.equal(guide, found.frame.masks_to_mask_grid(found.logits("flow", 0, [1, 5])))
    back = found.frame.logits_to_slice(guide)[0].numpy() > 0
    assert (back == (truth[1] == 2)).mean() > 0.99
