"""Class activation maps: the evidence for a class in a picture (MONAI's Grad-CAM, Grad-CAM++)."""

from __future__ import annotations

import copy

import torch
from jaxtyping import Float
from monai.visualize.class_activation_maps import GradCAM, GradCAMpp
from torch import Tensor, nn
from torch.nn import functional as F

from sammed.datasets.pseudo.cam.config import Activation

_MAPS = {"grad-cam": GradCAM, "grad-cam++": GradCAMpp}


class ActivationMapper:
    """Maps a network's classes on pictures. `layer` names the part whose activations are weighted.

    The network is in evaluation mode and returns logits N K. It is copied, because MONAI never removes its
    hooks.
    """

    def __init__(self, network: nn.Module, layer: str, activation: Activation) -> None:
        copied = copy.deepcopy(network).requires_grad_(True)
        self._device = next(copied.parameters()).device
        self._mapper = _MAPS[activation](copied, layer, postprocessing=nn.Identity())

    def maps(
        self, pixels: Float[Tensor, "N C S S"], class_index: int, shape: tuple[int, int]
    ) -> Float[Tensor, "N H W"]:
        """Return maps 0..1 of one class on slices of `shape`, on the CPU; 1 is the strongest evidence.

        A picture without evidence for the class has a map of zeros.
        """
        # One at a time: MONAI's Grad-CAM++ weights by the picture's own score.
        maps = [self._map(each[None].to(self._device), class_index) for each in pixels]
        return torch.stack([_on_slice(each, shape) for each in maps])

    def _map(self, pixels: Float[Tensor, "1 C S S"], class_index: int) -> Float[Tensor, "1 1 S S"]:
        # Torch's hooks need an input that takes gradients.
        map_: Tensor = self._mapper(x=pixels.detach().requires_grad_(True), class_idx=class_index)
        return map_.detach().cpu()


def _on_slice(map_: Float[Tensor, "1 1 S S"], shape: tuple[int, int]) -> Float[Tensor, "H W"]:
    """Return a map stretched to the slice and scaled to 0..1."""
    stretched = F.interpolate(map_, size=shape, mode="bilinear", align_corners=False)[0, 0]
    low, high = torch.aminmax(stretched)
    if not (torch.isfinite(high) and high > low):
        return torch.zeros_like(stretched)
    return (stretched - low) / (high - low)
