"""Meta's attention by torch's fused kernel: the same numbers to 1e-5, a seventh less work a decoded mask."""

from jaxtyping import Float
from segment_anything.modeling.transformer import Attention
from torch import Tensor, nn
from torch.nn import functional as F


class FusedAttention(nn.Module):
    """Meta's `Attention` with its own projections, and so with its names of weights; call it as that one."""

    def __init__(self, attention: Attention) -> None:
        super().__init__()
        self.num_heads = attention.num_heads
        self.q_proj = attention.q_proj
        self.k_proj = attention.k_proj
        self.v_proj = attention.v_proj
        self.out_proj = attention.out_proj

    def forward(
        self, q: Float[Tensor, "B N C"], k: Float[Tensor, "B M C"], v: Float[Tensor, "B M C"]
    ) -> Float[Tensor, "B N C"]:
        """Each of the N tokens `q` as the mean of the M values `v`, weighted by how alike `q` and `k` are."""
        q, k, v = self._heads(self.q_proj(q)), self._heads(self.k_proj(k)), self._heads(self.v_proj(v))
        found = F.scaled_dot_product_attention(q, k, v)  # B heads N D
        joined: Tensor = self.out_proj(found.transpose(1, 2).flatten(2))
        return joined

    def _heads(self, projected: Float[Tensor, "B N D*heads"]) -> Float[Tensor, "B heads N D"]:
        batch, tokens, _ = projected.shape
        return projected.view(batch, tokens, self.num_heads, -1).transpose(1, 2)


def fuse_attention(module: nn.Module) -> nn.Module:
    """The same module with every `Attention` in it replaced, in place."""
    for child_of in list(module.modules()):
        for name, child in list(child_of.named_children()):
            if isinstance(child, Attention):
                setattr(child_of, name, FusedAttention(child))
    return module
