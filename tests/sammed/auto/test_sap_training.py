"""Training SAP-Net: the losses against their definitions, the episodes, and two textures told apart."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from sammed.auto.sap_net import SapNet, SapNetConfig
from sammed.auto.sap_training import (
    Episodes,
    SapTrainingConfig,
    TrainedSapNet,
    episode_loss,
    prepare_episodes,
    sample_episode,
    train_sap_net,
)
from sammed.backbones.frame import Frame
from sammed.errors import AnnotationError, ConfigError

CHANNELS = 16
SMALL = SapNetConfig(embedding_channels=CHANNELS, channels=8, position_features=4)
FRAME = Frame(height=24, width=20, pixel_spacing_mm=(1.0, 1.0), size=48, mask_size=48)  # 12 cells
CONFIG = SapTrainingConfig(network=SMALL, steps=40, learning_rate=0.01)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def soft_episodes(slices: int = 3, seed: int = 0) -> Episodes:
    """Random embeddings under random soft masks of three classes; every cell shows the slice."""
    embeddings = torch.randn(slices, CHANNELS, 6, 5, generator=seeded(seed))
    masks = torch.randn(slices, 3, 6, 5, generator=seeded(seed + 1)).softmax(1)
    return Episodes(embeddings, masks, torch.ones(6, 5), tuple(range(slices)), ())


def squares(*tops: int | None) -> Tensor:
    """Masks 1 A H W: a square on each slice, at that row; None leaves the slice empty."""
    masks = torch.zeros(1, len(tops), FRAME.height, FRAME.width, dtype=torch.bool)
    for row, top in enumerate(tops):
        if top is not None:
            masks[0, row, top : top + 8, 4:14] = True
    return masks


def textured(masks: Tensor, strength: float = 3.0) -> Tensor:
    """Embeddings A C h w in which channel 2 is the object's texture and all else noise."""
    embeddings = torch.randn(masks.shape[1], CHANNELS, 12, 12, generator=seeded(9))
    embeddings[:, 2] += strength * FRAME.masks_to_embedding(masks[0])
    return embeddings


def inside_and_outside(net: TrainedSapNet, masks: Tensor, embeddings: Tensor) -> tuple[float, float]:
    """Share of the object's cells above 0, and of the others that show the slice."""
    shares = FRAME.masks_to_embedding(masks[0])
    shown = FRAME.masks_to_embedding(torch.ones(1, FRAME.height, FRAME.width)) == 1
    found = net.coarse(embeddings)[:, 0] > 0
    return float(found[shares == 1].float().mean()), float(found[(shares == 0) & shown].float().mean())


# Losses


def loss_of(
    net: SapNet, episodes: Episodes, support: list[int], query: list[int], config: SapTrainingConfig
) -> Tensor:
    positions = net.positions(*episodes.embeddings.shape[-2:])
    return episode_loss(net, positions, episodes, support, query, config)


def loss_by_hand(similarities: Tensor, masks: Tensor, beta: float) -> Tensor:
    """Mean cross-entropy of a cell, and equation 7 over the classes but the background."""
    probabilities = similarities.softmax(1)
    entropy = -(masks * probabilities.log()).sum(1).mean()
    found, true = probabilities[:, 1:], masks[:, 1:]
    hits = (found * true).sum((0, 2, 3))
    false_positives = (found * (1 - true)).sum((0, 2, 3))
    false_negatives = ((1 - found) * true).sum((0, 2, 3))
    biased = 1 - 2 * hits / (2 * hits + beta * false_positives + false_negatives)
    return entropy + biased.mean()


@pytest.mark.parametrize("beta", [1.0, 1.5, 4.0])
def test_segmentation_loss_is_cross_entropy_and_biased_dice(beta: float) -> None:
    episodes, net = soft_episodes(), SapNet(SMALL, seeded())
    config = replace(CONFIG, beta=beta, alignment_weight=0.0)
    features, positions = net.features(episodes.embeddings), net.positions(6, 5)
    prototypes = net.prototypes(features[:2], episodes.masks[:2], positions)
    expected = loss_by_hand(net.similarity(features[2:], prototypes, positions), episodes.masks[2:], beta)
    found = loss_of(net, episodes, [0, 1], [2], config)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_alignment_goes_back_from_what_was_found_to_the_support() -> None:
    """PANet 3.3: prototypes of the queries' predictions segment the support."""
    episodes, net = soft_episodes(), SapNet(SMALL, seeded())
    features, positions = net.features(episodes.embeddings), net.positions(6, 5)
    found = net.similarity(
        features[1:], net.prototypes(features[:1], episodes.masks[:1], positions), positions
    )
    back = net.prototypes(features[1:], found.softmax(1), positions)
    there = loss_by_hand(found, episodes.masks[1:], CONFIG.beta)
    alignment = loss_by_hand(net.similarity(features[:1], back, positions), episodes.masks[:1], CONFIG.beta)
    for weight in (0.0, 1.0, 0.25):
        loss = loss_of(net, episodes, [0], [1, 2], replace(CONFIG, alignment_weight=weight))
        torch.testing.assert_close(loss, there + weight * alignment, atol=1e-5, rtol=1e-5)


def test_alignment_equals_segmentation_when_the_query_is_the_support_and_rightly_found() -> None:
    """Masks that are what their own prototypes find: going there and coming back are then the same."""
    net = SapNet(replace(SMALL, alpha=8.0), seeded())
    episodes = soft_episodes(2)
    features, masks = net.features(episodes.embeddings), episodes.masks
    positions = net.positions(6, 5)
    with torch.no_grad():
        for _ in range(500):
            masks = net.similarity(features, net.prototypes(features, masks, positions), positions).softmax(1)
    fixed = replace(episodes, masks=masks)
    losses = [
        loss_of(net, fixed, [0, 1], [0, 1], replace(CONFIG, alignment_weight=weight)) for weight in (0.0, 1.0)
    ]
    torch.testing.assert_close(losses[1], 2 * losses[0], atol=1e-4, rtol=1e-4)
    assert losses[0] > 0.1  # or both would be 0 and nothing shown


def test_padding_does_not_count_in_the_loss() -> None:
    episodes, net = soft_episodes(), SapNet(replace(SMALL, positions=False), seeded())
    net.tuner[3] = torch.nn.Conv2d(8, 8, 1)  # a 3 x 3 convolution would look across the edge
    valid = episodes.valid.clone()
    valid[:, 3:] = 0
    padded = replace(episodes, masks=episodes.masks * valid, valid=valid)
    other = replace(padded, embeddings=torch.where(valid == 1, padded.embeddings, torch.tensor(7.0)))
    net.tuner[1] = torch.nn.Identity()  # so does GroupNorm
    losses = [loss_of(net, each, [0], [1, 2], CONFIG) for each in (padded, other)]
    torch.testing.assert_close(*losses)


# Episodes


def test_support_and_query_are_disjoint_and_together_all_slices() -> None:
    episodes = prepare_episodes(torch.zeros(6, CHANNELS, 12, 12), squares(2, None, 4, 6, None, 8), FRAME)
    assert (episodes.foreground, episodes.background) == ((0, 2, 3, 5), (1, 4))
    generator = seeded()
    for _ in range(50):
        support, query = sample_episode(episodes, generator)
        assert sorted(support + query) == [0, 1, 2, 3, 4, 5]
        assert support
        assert set(query) & set(episodes.foreground)


def test_slices_without_a_label_are_always_queries() -> None:
    episodes = prepare_episodes(torch.zeros(4, CHANNELS, 12, 12), squares(None, 2, 5, None), FRAME)
    generator = seeded()
    assert all(query[-2:] == [0, 3] for _, query in (sample_episode(episodes, generator) for _ in range(20)))


def test_every_split_comes_up() -> None:
    episodes = prepare_episodes(torch.zeros(3, CHANNELS, 12, 12), squares(1, 2, 3), FRAME)
    generator = seeded()
    supports = {tuple(sorted(sample_episode(episodes, generator)[0])) for _ in range(100)}
    assert supports == {(0,), (1,), (2,), (0, 1), (0, 2), (1, 2)}


def test_one_foreground_slice_is_support_and_query() -> None:
    episodes = prepare_episodes(torch.zeros(2, CHANNELS, 12, 12), squares(None, 3), FRAME)
    assert sample_episode(episodes, seeded()) == ([1], [1, 0])


def test_masks_are_shares_that_add_up_to_what_shows_the_slice() -> None:
    masks = torch.cat([squares(2, 9), squares(12, None)])
    masks[1] &= ~masks[0]
    episodes = prepare_episodes(torch.zeros(2, CHANNELS, 12, 12), masks, FRAME)
    assert episodes.masks.shape == (2, 3, 12, 12)
    torch.testing.assert_close(episodes.masks.sum(1), episodes.valid.expand(2, -1, -1))
    assert episodes.valid[:, 10:].sum() == 0  # 20 of 24 pixels wide


def test_rejects_slices_without_any_label() -> None:
    with pytest.raises(AnnotationError, match="None of the annotated slices"):
        prepare_episodes(torch.zeros(2, CHANNELS, 12, 12), squares(None, None), FRAME)


# Learning


def test_tells_two_textures_apart_on_slices_it_has_not_seen() -> None:
    masks = squares(2, 5, 8, 10, 3, 7)
    embeddings = textured(masks, strength=5.0)
    config = replace(CONFIG, network=replace(SMALL, positions=False))
    net = train_sap_net(prepare_episodes(embeddings[:4], masks[:, :4], FRAME), config, seeded())
    inside, outside = inside_and_outside(net, masks[:, 4:], embeddings[4:])
    assert inside > 0.85
    assert outside < 0.1


def test_tells_two_places_apart_where_all_looks_the_same() -> None:
    masks = squares(2, 3, 2, 3)
    embeddings = torch.ones(4, CHANNELS, 12, 12)
    config = replace(CONFIG, network=replace(SMALL, position_features=32))
    net = train_sap_net(prepare_episodes(embeddings, masks, FRAME), config, seeded())
    inside, outside = inside_and_outside(net, masks, embeddings)
    assert inside > 0.9
    assert outside < 0.15


def test_a_label_that_some_slices_do_not_show_is_learned_like_the_others() -> None:
    """Its prototype is zero in the episodes whose support lacks it, which must not spoil the weights."""
    masks = torch.cat([squares(2, 3, 4), squares(14, None, None)])
    embeddings = textured(masks[:1], strength=5.0)
    embeddings[:, 4] += 5 * FRAME.masks_to_embedding(masks[1])
    net = train_sap_net(prepare_episodes(embeddings, masks, FRAME), CONFIG, seeded())
    assert all(parameter.isfinite().all() for parameter in net.network.parameters())
    assert net.coarse(embeddings).isfinite().all()
    inside, outside = inside_and_outside(net, masks[:1], embeddings)
    assert inside > 0.85
    assert outside < 0.1


def test_prototypes_are_those_of_all_annotated_slices() -> None:
    masks = squares(2, 5, None)
    episodes = prepare_episodes(textured(masks), masks, FRAME)
    net = train_sap_net(episodes, replace(CONFIG, steps=2), seeded())
    network = net.network
    positions = network.positions(12, 12)
    expected = network.prototypes(network.features(episodes.embeddings), episodes.masks, positions)
    torch.testing.assert_close(net.prototypes.looks, expected.looks)
    torch.testing.assert_close(net.prototypes.positions, expected.positions)


def test_coarse_is_the_log_odds_of_each_label() -> None:
    masks = torch.cat([squares(2, 5), squares(13, 15)])
    embeddings = textured(masks)
    net = train_sap_net(prepare_episodes(embeddings, masks, FRAME), replace(CONFIG, steps=2), seeded())
    probabilities = net.network(embeddings, net.prototypes).double().softmax(1)
    coarse = net.coarse(embeddings)
    assert coarse.shape == (2, 2, 12, 12)
    torch.testing.assert_close(coarse.double(), torch.logit(probabilities)[:, 1:], atol=1e-3, rtol=1e-3)


def test_the_seed_decides_everything() -> None:
    masks = squares(2, 5, 8)
    episodes = prepare_episodes(textured(masks), masks, FRAME)
    config = replace(CONFIG, steps=5)
    first, again, other = (
        train_sap_net(episodes, config, seeded(seed)).coarse(episodes.embeddings) for seed in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_training_samples_nothing_from_torchs_own_generator() -> None:
    masks = squares(2, 5)
    episodes = prepare_episodes(textured(masks), masks, FRAME)
    before = torch.random.get_rng_state()
    train_sap_net(episodes, replace(CONFIG, steps=2), seeded())
    assert torch.equal(before, torch.random.get_rng_state())


def test_only_the_tuner_learns_and_then_is_frozen() -> None:
    masks = squares(2, 5)
    episodes = prepare_episodes(textured(masks), masks, FRAME)
    start = SapNet(SMALL, seeded()).state_dict()
    net = train_sap_net(episodes, replace(CONFIG, steps=3), seeded()).network
    assert torch.equal(net.matrix, start["matrix"])
    assert not torch.equal(net.state_dict()["tuner.0.weight"], start["tuner.0.weight"])
    assert not any(parameter.requires_grad for parameter in net.parameters())
    assert not net.training


def test_progress_is_called_for_each_step() -> None:
    masks = squares(2, 5)
    steps: list[int] = []
    train_sap_net(
        prepare_episodes(textured(masks), masks, FRAME), replace(CONFIG, steps=4), seeded(), steps.append
    )
    assert steps == [1, 1, 1, 1]


@pytest.mark.parametrize(
    "settings", [{"steps": 0}, {"learning_rate": 0.0}, {"beta": 0.9}, {"alignment_weight": -0.1}]
)
def test_rejects_settings_out_of_range(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        SapTrainingConfig(**settings)
