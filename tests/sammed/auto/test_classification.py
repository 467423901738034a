"""Classification on embeddings in which each label is a direction of its own, buried in noise."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from sammed.auto.classification import ClassificationConfig, TrainedClassifier, train_classifier
from sammed.backbones.frame import Frame
from sammed.errors import AnnotationError, ConfigError

FRAME = Frame(height=32, width=24, pixel_spacing_mm=(1.0, 1.0), size=64, mask_size=64)
CELLS = 16


def squares(count: int, labels: int = 2) -> Tensor:
    """Masks k A H W: a square for each label, elsewhere on each slice."""
    masks = torch.zeros(labels, count, FRAME.height, FRAME.width, dtype=torch.bool)
    for label in range(labels):
        for row in range(count):
            top, left = 2 + (3 * row) % 8 + 12 * label, 2 + (5 * row) % 12
            masks[label, row, top : top + 8, left : left + 8] = True
    return masks


def embed(masks: Tensor, noise: float = 1.0, seed: int = 0) -> Tensor:
    """Embeddings A 256 h w: channel 7 marks label 1, channel 8 label 2, over an offset and noise."""
    generator = torch.Generator().manual_seed(seed)
    embeddings = torch.randn(masks.shape[1], 256, CELLS, CELLS, generator=generator) * noise + 3.0
    for index, of_label in enumerate(masks):
        embeddings[:, 7 + index] += 6 * FRAME.masks_to_embedding(of_label)
    return embeddings


def learn(masks: Tensor, embeddings: Tensor, **settings: Any) -> TrainedClassifier:
    return train_classifier(embeddings, masks, FRAME, ClassificationConfig(**settings))


def wrong_cells(classifier: TrainedClassifier, masks: Tensor, embeddings: Tensor) -> float:
    """Share of the cells that lie wholly inside or outside a label and are put on the wrong side."""
    shares = torch.stack([FRAME.masks_to_embedding(mask) for mask in masks], dim=1)  # A k h w
    pure = (shares == 0) | (shares == 1)
    pure &= FRAME.masks_to_embedding(torch.ones(1, FRAME.height, FRAME.width))[0] == 1
    found = classifier.coarse(embeddings) > 0
    return float((found != (shares == 1))[pure].float().mean())


def test_finds_separable_labels_on_slices_it_has_not_seen() -> None:
    masks = squares(8)
    embeddings = embed(masks)
    classifier = learn(masks[:, :4], embeddings[:4])
    assert wrong_cells(classifier, masks[:, 4:], embeddings[4:]) < 0.01


def test_coarse_has_a_column_for_each_label_on_the_embedding_grid() -> None:
    masks = squares(3)
    classifier = learn(masks, embed(masks))
    assert classifier.coarse(embed(masks)[:2]).shape == (2, 2, CELLS, CELLS)
    assert classifier.weight.shape == (3, 256)
    assert {each.dtype for each in (classifier.weight, classifier.bias, classifier.mean, classifier.std)} == {
        torch.float32
    }


def test_log_odds_are_those_of_a_softmax_over_standardized_features() -> None:
    masks = squares(3)
    embeddings = embed(masks)
    classifier = learn(masks, embeddings)
    features = embeddings.permute(0, 2, 3, 1)  # A h w C
    logits = ((features - classifier.mean) / classifier.std) @ classifier.weight.T + classifier.bias
    expected = torch.logit(logits.double().softmax(-1))[..., 1:].permute(0, 3, 1, 2)
    torch.testing.assert_close(classifier.coarse(embeddings).double(), expected, atol=1e-3, rtol=1e-3)


def test_scale_and_offset_of_a_channel_change_nothing() -> None:
    masks = squares(4)
    embeddings = embed(masks)
    scale = torch.linspace(0.1, 50, 256)[:, None, None]
    plain = learn(masks, embeddings, strengths=(0.05,)).coarse(embeddings)
    scaled = learn(masks, embeddings * scale - 7, strengths=(0.05,)).coarse(embeddings * scale - 7)
    torch.testing.assert_close(plain, scaled, atol=0.02, rtol=0.02)


def test_a_stronger_penalty_makes_smaller_weights() -> None:
    masks = squares(4)
    embeddings = embed(masks)
    lengths = [
        float(learn(masks, embeddings, strengths=(strength,)).weight.norm())
        for strength in (0.001, 0.1, 10.0)
    ]
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[0] > 5 * lengths[2]


def test_leaving_slices_out_prefers_the_penalty_that_does_not_learn_noise_by_heart() -> None:
    """Two slices of pure noise: whatever is learned from one is wrong on the other."""
    masks = squares(2, labels=1)
    noise = torch.randn(2, 256, CELLS, CELLS, generator=torch.Generator().manual_seed(0))
    chosen = learn(masks, noise, strengths=(1e-6, 10.0)).weight
    weak, strong = (learn(masks, noise, strengths=(strength,)).weight for strength in (1e-6, 10.0))
    assert torch.equal(chosen, strong)
    assert weak.norm() > 10 * strong.norm()


def test_one_slice_alone_takes_the_plain_strength() -> None:
    masks = squares(1)
    embeddings = embed(masks)
    alone = learn(masks, embeddings, strengths=(1e-5, 5.0), plain_strength=0.3)
    assert torch.equal(alone.weight, learn(masks, embeddings, strengths=(1.0,), plain_strength=0.3).weight)


def test_a_label_on_one_slice_only_does_not_decide_the_penalty() -> None:
    """Left out, its slice teaches nothing about it; without its cells both labels are as before."""
    masks = squares(4)
    masks[1, 1:] = False
    embeddings = embed(masks)
    classifier = learn(masks, embeddings, strengths=(1e-3, 1e3))
    assert wrong_cells(classifier, masks, embeddings) < 0.01


def test_slices_without_a_label_teach_where_it_is_not() -> None:
    """Channel 9 looks like label 1 on a slice that was annotated as empty."""
    masks = squares(3, labels=1)
    masks[:, 2] = False
    embeddings = embed(masks)
    embeddings[:2, 9] += 6 * FRAME.masks_to_embedding(masks[0, :2])
    embeddings[2, 9] += 6
    with_empty = learn(masks, embeddings).coarse(embeddings[2:])
    without = learn(masks[:, :2], embeddings[:2]).coarse(embeddings[2:])
    shown = FRAME.masks_to_embedding(torch.ones(1, FRAME.height, FRAME.width))[0] == 1
    assert with_empty[0, 0][shown].mean() < without[0, 0][shown].mean() - 1


def test_the_padding_does_not_count() -> None:
    masks = squares(3)
    embeddings = embed(masks)
    other = embeddings.clone()
    other[..., 12:] = 1e3  # 24 of 32 pixels wide: the last four columns of cells
    assert torch.equal(learn(masks, embeddings).weight, learn(masks, other).weight)


def test_the_same_slices_give_the_same_classifier() -> None:
    masks = squares(3)
    first, again = (learn(masks, embed(masks)) for _ in range(2))
    assert torch.equal(first.weight, again.weight)
    assert torch.equal(first.bias, again.bias)


def test_rejects_slices_without_any_label() -> None:
    masks = torch.zeros_like(squares(2))
    with pytest.raises(AnnotationError, match="None of the annotated slices"):
        learn(masks, embed(masks))


@pytest.mark.parametrize(
    "settings", [{"strengths": ()}, {"strengths": (0.0, 1.0)}, {"plain_strength": -1.0}, {"iterations": 0}]
)
def test_rejects_settings_out_of_range(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="classifier"):
        ClassificationConfig(**settings)


def test_fits_the_protocol_of_a_generator() -> None:
    """What `label_stack` asks for: log-odds on the CPU or where the embeddings are, without gradients."""
    masks = squares(2)
    coarse = learn(masks, embed(masks)).coarse(embed(masks))
    assert not coarse.requires_grad
    assert np.isfinite(coarse.numpy()).all()
