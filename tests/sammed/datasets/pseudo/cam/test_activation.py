"""Grad-CAM and Grad-CAM++ of a network small enough to work out by hand."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from sammed.datasets.pseudo.cam.activation import ActivationMapper

WEIGHTS = torch.tensor([[0.0, 0.0], [2.0, -1.0]])  # of class 1: for the first channel, against the second


class TinyNetwork(nn.Module):
    """Two channels, the picture and its transpose, their means, one linear layer: gradients are w / 4."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 2, 1, bias=False)
        self.layer.weight.data = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])[:, :, None, None]
        self.out = nn.Linear(2, 2, bias=False)
        self.out.weight.data = WEIGHTS.clone()

    def forward(self, pixels: Tensor) -> Tensor:
        scores: Tensor = self.out(self.layer(pixels).mean((-2, -1)))
        return scores


FIRST = np.array([[4.0, 0.0], [1.0, 2.0]])
SECOND = np.array([[0.0, 3.0], [1.0, 1.0]])


@pytest.fixture
def pixels() -> Tensor:
    return torch.tensor(np.stack([FIRST, SECOND, np.zeros((2, 2))])[None], dtype=torch.float32)


def scaled(map_: np.ndarray) -> np.ndarray:
    found: np.ndarray = (map_ - map_.min()) / (map_.max() - map_.min())
    return found


def test_grad_cam_weighs_channels_by_their_mean_gradient(pixels: torch.Tensor) -> None:
    """ReLU(sum of alpha_k A_k) with alpha = (2/4, -1/4)."""
    by_hand = np.maximum(0.5 * FIRST - 0.25 * SECOND, 0)
    found = ActivationMapper(TinyNetwork().eval(), "layer", "grad-cam").maps(pixels, 1, (2, 2))
    np.testing.assert_allclose(found[0].numpy(), scaled(by_hand), atol=1e-6)


def test_grad_cam_plus_plus_weighs_each_pixel(pixels: torch.Tensor) -> None:
    """alpha = g^2 / (2 g^2 + sum(A) g^3) at each pixel; a weight is the sum of alpha ReLU(g)."""
    gradient = 2 / 4
    alpha = gradient**2 / (2 * gradient**2 + FIRST.sum() * gradient**3)
    weight = 4 * alpha * gradient  # the second channel's gradient is below 0, so it has none
    by_hand = np.maximum(weight * FIRST, 0)
    found = ActivationMapper(TinyNetwork().eval(), "layer", "grad-cam++").maps(pixels, 1, (2, 2))
    np.testing.assert_allclose(found[0].numpy(), scaled(by_hand), atol=1e-6)
    assert not np.allclose(found[0].numpy(), scaled(np.maximum(0.5 * FIRST - 0.25 * SECOND, 0)), atol=0.05)


def test_a_picture_that_does_not_speak_for_the_class_has_a_map_of_zeros(pixels: torch.Tensor) -> None:
    against = pixels.clone()
    against[:, 0], against[:, 1] = 0, pixels[:, 0]
    mapper = ActivationMapper(TinyNetwork().eval(), "layer", "grad-cam")
    assert not mapper.maps(against, 1, (2, 2)).any()


def test_each_picture_has_its_own_map_on_the_slice(pixels: torch.Tensor) -> None:
    both = torch.cat([pixels, pixels.flip(-1)])
    found = ActivationMapper(TinyNetwork().eval(), "layer", "grad-cam++").maps(both, 1, (5, 7))
    assert found.shape == (2, 5, 7)
    torch.testing.assert_close(found[1], found[0].flip(-1))


def test_the_network_stays_as_it_was(pixels: torch.Tensor) -> None:
    network = TinyNetwork().eval().requires_grad_(False)
    ActivationMapper(network, "layer", "grad-cam").maps(pixels, 1, (2, 2))
    assert not network.layer._forward_hooks
    assert network.out.weight.grad is None
    assert not network.out.weight.requires_grad
