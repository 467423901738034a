"""The prompt encoder of one label: two of Meta's, because a point alone means something else than a box."""

from jaxtyping import Float, Int64
from torch import Tensor, nn


class LabelEncoder(nn.Module):
    """Meta's prompt encoder twice: one for points alone, one for all prompts with a box or a coarse mask.

    The paper trains one encoder for points and another for boxes (4.2, figures 7 and 10). Meta's class shares
    the token for "no mask" between the two, and what makes a point mean the whole organ makes a box lose its
    corners. So a label has one of each, and each prompt goes to the encoder that was trained for it.
    """

    def __init__(self, points: nn.Module, boxes: nn.Module) -> None:
        super().__init__()
        self.points = points
        self.boxes = boxes

    def forward(
        self,
        points: tuple[Float[Tensor, "B P 2"], Int64[Tensor, "B P"]] | None,
        boxes: Float[Tensor, "B 4"] | None,
        masks: Float[Tensor, "B 1 M M"] | None,
    ) -> tuple[Float[Tensor, "B N 256"], Float[Tensor, "B 256 h w"]]:
        """Return sparse and dense embeddings; called as Meta's `PromptEncoder` is."""
        encoder = self.points if boxes is None and masks is None else self.boxes
        embedded: tuple[Tensor, Tensor] = encoder(points=points, boxes=boxes, masks=masks)
        return embedded
