"""Decoding: from coarse masks to masks, by prompts and a trained prompt encoder."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sammed.assist.masks import EMPTY_LOGIT, decode_prompts, unite
from sammed.auto.prompting import PromptRule, write_prompts
from sammed.embeddings.scan import Scan

CHUNK = 16  # slices whose prompts are decoded together


def decode_coarse(
    scan: Scan,
    encoder: nn.Module,
    indices: Sequence[int],
    coarse: Float[Tensor, "N M M"],
    rule: PromptRule,
) -> Float[Tensor, "N M M"]:
    """Return the decoder's logits of one label for slices `indices` of the stack with these coarse logits.

    A slice with an empty coarse mask gets logits far below 0.
    """
    chunks = [
        _decode_chunk(scan, encoder, indices[start : start + CHUNK], coarse[start : start + CHUNK], rule)
        for start in range(0, len(indices), CHUNK)
    ]
    return torch.cat(chunks)


def _decode_chunk(
    scan: Scan,
    encoder: nn.Module,
    indices: Sequence[int],
    coarse: Float[Tensor, "N M M"],
    rule: PromptRule,
) -> Float[Tensor, "N M M"]:
    prompts, slice_of = [], []
    for position, logits in enumerate(coarse):
        written = list(write_prompts(logits, scan.frame, rule))
        prompts += written
        slice_of += [position] * len(written)
    if not prompts:
        return torch.full_like(coarse, EMPTY_LOGIT)
    shown = sorted(set(slice_of))  # only slices with a prompt are needed
    embeddings = scan.embeddings([indices[position] for position in shown])
    rows = [shown.index(position) for position in slice_of]
    logits = decode_prompts(scan.backbone, encoder, embeddings, prompts, rows, scan.frame)
    return unite(logits, slice_of, len(indices)).to(coarse.device)
