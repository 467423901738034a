"""SAP-Net against the equations, written out on tensors that fit on a page."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from sammed.auto.position_encoding import NoPositions, PositionEncoding
from sammed.auto.sap_net import Prototypes, SapNet, SapNetConfig, log_odds
from sammed.errors import ConfigError


def small_net(**settings: Any) -> SapNet:
    """16 channels in, 8 out, 4 frequencies."""
    numbers: dict[str, Any] = {"embedding_channels": 16, "channels": 8, "position_features": 4} | settings
    return SapNet(SapNetConfig(**numbers), torch.Generator().manual_seed(3))


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def joined(net: SapNet, features: Tensor) -> Tensor:
    """Equation 5 as it stands: T(E(I)) and the position one after another, S D+P h w."""
    positions = net.positions(*features.shape[-2:])
    if isinstance(positions, NoPositions):
        return features
    return torch.cat([features, positions.cells.expand(len(features), -1, -1, -1)], dim=1)


def prototypes_of(net: SapNet, features: Tensor, masks: Tensor) -> Prototypes:
    return net.prototypes(features, masks, net.positions(*features.shape[-2:]))


def similarity(net: SapNet, features: Tensor, prototypes: Prototypes) -> Tensor:
    return net.similarity(features, prototypes, net.positions(*features.shape[-2:]))


def cells_of(net: SapNet, height: int, width: int) -> Tensor:
    """Encoded positions P h w."""
    positions = net.positions(height, width)
    assert isinstance(positions, PositionEncoding)
    return positions.cells


def test_softmax_of_cosines_by_hand() -> None:
    """Two cells, two classes, no positions; equation 4 with cos as a similarity."""
    net = small_net(positions=False, alpha=2.0)
    features = torch.tensor([[1.0, 0.0], [0.6, 0.8]]).T[None, :, None]  # 1 D=2 h=1 w=2
    prototypes = Prototypes(looks=torch.tensor([[3.0, 0.0], [0.0, 0.5]]), positions=torch.zeros(2, 8))
    # cosines: the first cell 1 and 0, the second 0.6 and 0.8
    found = similarity(net, features, prototypes).softmax(1)[0, :, 0]  # K w
    first = math.exp(2.0) / (math.exp(2.0) + math.exp(0.0))
    second = math.exp(1.2) / (math.exp(1.2) + math.exp(1.6))
    torch.testing.assert_close(found, torch.tensor([[first, second], [1 - first, 1 - second]]))


@pytest.mark.parametrize("positions", [True, False], ids=["with positions", "without"])
def test_similarity_is_that_of_features_and_positions_joined(positions: bool) -> None:
    net = small_net(positions=positions)
    features = net.features(random(2, 16, 5, 7))
    masks = random(2, 3, 5, 7, seed=1).sigmoid()
    explicit = joined(net, features)
    pooled = torch.stack(
        [(explicit * masks[:, k, None]).sum((0, 2, 3)) / masks[:, k].sum() for k in range(3)]
    )  # K D+P
    cosines = torch.nn.functional.cosine_similarity(explicit[:, None], pooled[None, :, :, None, None], dim=2)
    found = similarity(net, features, prototypes_of(net, features, masks))
    torch.testing.assert_close(found, net.config.alpha * cosines, atol=1e-4, rtol=1e-4)


def test_features_and_positions_weigh_the_same() -> None:
    net = small_net()
    assert torch.allclose(net.features(random(2, 16, 5, 7)).norm(dim=1), torch.tensor(1.0), atol=1e-5)
    assert torch.allclose(cells_of(net, 5, 7).norm(dim=0), torch.tensor(1.0), atol=1e-5)


def test_positions_are_the_sines_and_cosines_of_equation_6() -> None:
    net = small_net()
    found = cells_of(net, 2, 4)  # P h w
    x, y = 3 / 4 * 2 - 1 + 1 / 4, 0 / 2 * 2 - 1 + 1 / 2  # the center of row 0, column 3, in -1..1
    angles = 2 * math.pi * (x * net.matrix[0] + y * net.matrix[1])
    expected = torch.cat([angles.cos(), angles.sin()]) / math.sqrt(4)
    torch.testing.assert_close(found[:, 0, 3], expected)


def test_near_cells_have_nearer_positions_than_far_ones() -> None:
    positions = cells_of(SapNet(SapNetConfig(), torch.Generator().manual_seed(0)), 32, 32)
    cosines = (positions * positions[:, 16, 16][:, None, None]).sum(0)
    assert cosines[16, 16] == cosines.max()
    assert cosines[16, 18] > cosines[16, 24]
    assert cosines[18, 16] > cosines[24, 16]


def test_masked_average_pooling_by_hand() -> None:
    net = small_net(positions=False)
    features = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]], [[[5.0, 6.0], [7.0, 8.0]]]])  # S=2 D=1 2 2
    masks = torch.tensor([[[[0.0, 0.0], [1.0, 0.5]]], [[[1.0, 0.0], [0.0, 0.0]]]])  # S=2 K=1 2 2
    found = prototypes_of(net, features, masks)
    assert found.looks.tolist() == [[pytest.approx((3.0 + 0.5 * 4.0 + 5.0) / 2.5)]]


def test_positions_of_a_prototype_are_pooled_over_all_slices() -> None:
    net = small_net()
    masks = torch.zeros(2, 1, 3, 3)
    masks[0, 0, 0, 0] = 1
    masks[1, 0, 2, 1] = 3
    positions = cells_of(net, 3, 3)
    found = prototypes_of(net, net.features(random(2, 16, 3, 3)), masks).positions[0]
    torch.testing.assert_close(found, (positions[:, 0, 0] + 3 * positions[:, 2, 1]) / 4)


def test_nothing_is_like_a_class_that_no_slice_shows() -> None:
    net = small_net()
    features = net.features(random(1, 16, 4, 4))
    masks = torch.ones(1, 2, 4, 4)
    masks[:, 1] = 0
    prototypes = prototypes_of(net, features, masks)
    assert prototypes.looks[1].abs().max() == 0
    similarities = similarity(net, features, prototypes)
    assert torch.equal(similarities[:, 1], torch.zeros(1, 4, 4))
    assert (similarities[:, 0].mean() > 0).item()


def test_without_positions_a_prototype_has_zeros_for_its_position() -> None:
    """Of the size that it has with positions, so that a file of such a net keeps its shape."""
    net = small_net(positions=False)
    found = prototypes_of(net, net.features(random(2, 16, 3, 3)), random(2, 4, 3, 3).sigmoid())
    assert torch.equal(found.positions, torch.zeros(4, 8))
    assert isinstance(net.positions(3, 3), NoPositions)


def test_the_weights_keep_their_names() -> None:
    """Older skill files hold them under these."""
    layers = ("tuner.0", "tuner.1", "tuner.3")
    named = {f"{layer}.{part}" for layer in layers for part in ("weight", "bias")}
    for positions in (True, False):
        assert set(small_net(positions=positions).state_dict()) == {"matrix", *named}


def test_log_odds_are_those_of_the_softmax() -> None:
    similarities = random(2, 4, 3, 3) * 5
    expected = torch.logit(similarities.double().softmax(1))[:, 1:]
    torch.testing.assert_close(log_odds(similarities).double(), expected, atol=1e-4, rtol=1e-4)


def test_forward_is_features_then_similarity() -> None:
    net = small_net()
    embeddings = random(2, 16, 4, 4)
    prototypes = prototypes_of(net, net.features(embeddings), random(2, 2, 4, 4, seed=5).sigmoid())
    assert torch.equal(net(embeddings, prototypes), similarity(net, net.features(embeddings), prototypes))


def test_the_generator_decides_the_weights() -> None:
    first, again = (small_net().state_dict() for _ in range(2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    other = SapNet(small_net().config, torch.Generator().manual_seed(4)).state_dict()
    assert not torch.equal(first["matrix"], other["matrix"])
    assert not torch.equal(first["tuner.0.weight"], other["tuner.0.weight"])


@pytest.mark.parametrize(
    "settings",
    [
        {"channels": 0},
        {"channels": 12},  # not in groups of 8
        {"position_features": 0},
        {"embedding_channels": 0},
        {"alpha": 0.0},
        {"position_sigma": -1.0},
    ],
)
def test_rejects_numbers_that_make_no_network(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="SAP-Net"):
        SapNetConfig(**settings)
