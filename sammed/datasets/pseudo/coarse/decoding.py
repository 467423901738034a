"""Decoding: prompts for the slices of a case through the plain backbone, and labels from the logits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float, UInt

from sammed.assist.masks import decode_prompts, unite
from sammed.backbones.backbone import Backbone
from sammed.datasets.labeled_sets.pictures import OpenCase
from sammed.embeddings.cache import EmbeddingCache
from sammed.embeddings.scan import EncodedScan, Scan
from sammed.prompts.prompt import Prompt
from sammed_volumes.labels import smallest_unsigned


def encode_case(opened: OpenCase, backbone: Backbone, cache: EmbeddingCache | None = None) -> EncodedScan:
    """A case as the backbone sees it; a slice is encoded when it is first asked for."""
    return EncodedScan(Scan(opened.volume, opened.slicing, opened.low, opened.high), backbone, cache=cache)


def prompted_logits(encoded: EncodedScan, index: int, prompts: Sequence[Prompt]) -> Float[np.ndarray, "H W"]:
    """The plain backbone's logits for one slice of the stack: the maximum over the prompts (one or more)."""
    backbone = encoded.backbone
    embedding = encoded.embeddings([index])
    rows = [0] * len(prompts)
    logits = decode_prompts(backbone, backbone.prompt_encoder, embedding, prompts, rows, encoded.frame)
    return _on_slice(encoded, unite(logits, rows, 1))


def unprompted_logits(encoded: EncodedScan, index: int) -> Float[np.ndarray, "H W"]:
    """The plain backbone's logits for one slice of the stack when it is told nothing."""
    backbone = encoded.backbone
    with torch.inference_mode():
        sparse, dense = backbone.prompt_encoder(points=None, boxes=None, masks=None)
        logits = backbone.decode(encoded.embeddings([index]), sparse.to(backbone.device), dense)[0]
    return _on_slice(encoded, logits[:, 0])


def highest_label(
    logits: Mapping[int, Float[np.ndarray, "H W"]], shape: tuple[int, int]
) -> UInt[np.ndarray, "H W"]:
    """The value whose logit is highest in each pixel; 0 where none is above 0."""
    values = np.array([0, *logits])
    dtype = smallest_unsigned(int(values.max()))
    if not logits:
        return np.zeros(shape, dtype=dtype)
    stacked = np.stack(list(logits.values()))
    winner = np.where(stacked.max(axis=0) > 0, stacked.argmax(axis=0) + 1, 0)
    return values[winner].astype(dtype)


def _on_slice(encoded: EncodedScan, logits: torch.Tensor) -> Float[np.ndarray, "H W"]:
    found: np.ndarray = encoded.frame.logits_to_slice(logits)[0].cpu().numpy()
    return found
