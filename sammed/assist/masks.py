"""Masks from prompts: decode many slices, labels and instances in batches."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sammed.assist.encoding import Form, encode_prompts, form_of
from sammed.backbones.backbone import Backbone
from sammed.backbones.frame import Frame
from sammed.prompts.prompt import Prompt

EMPTY_LOGIT = -30.0
"""The logit where no prompt is about a slice: finite, so that sums and smoothing stay finite."""


def decode_prompts(
    backbone: Backbone,
    encoder: nn.Module,
    embeddings: Float[Tensor, "S 256 h w"],
    prompts: Sequence[Prompt],
    slice_of: Sequence[int],
    frame: Frame,
    batch_size: int = 8,
) -> Float[Tensor, "N M M"]:
    """Return mask logits of each prompt on the mask grid, in the order of the prompts.

    `slice_of` is the row of `embeddings` that each prompt is about. Prompts of one form (kind and number
    of points) go through the decoder together, at most `batch_size` at a time. Raises PromptError for a
    prompt that reaches outside the slice.
    """
    for prompt in prompts:
        prompt.check_inside(frame.height, frame.width)
    size = frame.mask_size
    logits = torch.empty(len(prompts), size, size, device=backbone.device)
    with torch.inference_mode():
        for batch in _batches(prompts, batch_size):
            sparse, dense = encode_prompts(backbone, encoder, [prompts[index] for index in batch], frame)
            rows = embeddings[[slice_of[index] for index in batch]]  # B 256 h w
            logits[batch] = backbone.decode(rows, sparse, dense)[0][:, 0]
    return logits


def unite(
    logits: Float[Tensor, "N M M"], slice_of: Sequence[int], slices: int
) -> Float[Tensor, "slices M M"]:
    """Return logits of each slice: the maximum over its instances, EMPTY_LOGIT where it has none."""
    united = logits.new_full((slices, *logits.shape[1:]), EMPTY_LOGIT)
    for instance, row in zip(logits, slice_of, strict=True):
        torch.maximum(united[row], instance, out=united[row])
    return united


def _batches(prompts: Sequence[Prompt], batch_size: int) -> Iterator[list[int]]:
    """Yield indices of prompts that can be decoded together."""
    by_form: dict[Form, list[int]] = defaultdict(list)
    for index, prompt in enumerate(prompts):
        by_form[form_of(prompt)].append(index)
    for members in by_form.values():
        for start in range(0, len(members), batch_size):
            yield members[start : start + batch_size]
