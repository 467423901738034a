"""Fused attention is Meta's attention."""

import copy

import pytest
import torch
from segment_anything.modeling import TwoWayTransformer
from segment_anything.modeling.transformer import Attention

from sammed.backbones.attention import FusedAttention, fuse_attention


@pytest.mark.parametrize(
    ("tokens", "keys", "downsample"), [(5, 64, 2), (64, 5, 2), (20, 64, 2), (64, 20, 2), (7, 7, 1)]
)
def test_results_and_gradients_are_metas(tokens: int, keys: int, downsample: int) -> None:
    torch.manual_seed(0)
    meta = Attention(32, 4, downsample_rate=downsample)
    fused = FusedAttention(copy.deepcopy(meta))
    inputs = [torch.randn(2, count, 32) for count in (tokens, keys, keys)]
    gradients = []
    for attention in (meta, fused):
        leaves = [each.clone().requires_grad_() for each in inputs]
        found = attention(*leaves)
        found.square().sum().backward()
        gradients.append((found.detach(), *(leaf.grad for leaf in leaves)))
    for of_meta, of_fused in zip(*gradients, strict=True):
        torch.testing.assert_close(of_fused, of_meta, atol=1e-5, rtol=1e-4)


def test_a_transformer_keeps_its_names_of_weights_and_its_output() -> None:
    torch.manual_seed(0)
    meta = TwoWayTransformer(depth=2, embedding_dim=32, mlp_dim=16, num_heads=4).eval()
    fused = fuse_attention(copy.deepcopy(meta))
    assert not any(isinstance(module, Attention) for module in fused.modules())
    assert list(fused.state_dict()) == list(meta.state_dict()), "checkpoints would no longer fit"
    image, position, points = torch.randn(1, 32, 8, 8), torch.randn(1, 32, 8, 8), torch.randn(1, 3, 32)
    for of_meta, of_fused in zip(meta(image, position, points), fused(image, position, points), strict=True):
        torch.testing.assert_close(of_fused, of_meta, atol=1e-5, rtol=1e-4)
