"""Logits of one slice from the plain backbone, with and without prompts, and labels from logits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float, UInt

from sammed.assist.masks import decode_prompts, unite
from sammed.embeddings.scan import Scan
from sammed.prompts.prompt import Prompt
from sammed_volumes.labels import smallest_unsigned


def prompted_logits(scan: Scan, index: int, prompts: Sequence[Prompt]) -> Float[np.ndarray, "H W"]:
    """Return the plain backbone's logits for one slice: the maximum over one or more prompts."""
    backbone = scan.backbone
    embedding = scan.embeddings([index])
    rows = [0] * len(prompts)
    logits = decode_prompts(backbone, backbone.prompt_encoder, embedding, prompts, rows, scan.frame)
    return _on_slice(scan, unite(logits, rows, 1))


def unprompted_logits(scan: Scan, index: int) -> Float[np.ndarray, "H W"]:
    """Return the plain backbone's logits for one slice without a prompt."""
    backbone = scan.backbone
    with torch.inference_mode():
        sparse, dense = backbone.prompt_encoder(points=None, boxes=None, masks=None)
        logits = backbone.decode(scan.embeddings([index]), sparse.to(backbone.device), dense)[0]
    return _on_slice(scan, logits[:, 0])


def highest_label(
    logits: Mapping[int, Float[np.ndarray, "H W"]], shape: tuple[int, int]
) -> UInt[np.ndarray, "H W"]:
    """Return the value whose logit is highest in each pixel; 0 where none is above 0."""
    values = np.array([0, *logits])
    dtype = smallest_unsigned(int(values.max()))
    if not logits:
        return np.zeros(shape, dtype=dtype)
    stacked = np.stack(list(logits.values()))
    winner = np.where(stacked.max(axis=0) > 0, stacked.argmax(axis=0) + 1, 0)
    return values[winner].astype(dtype)


def _on_slice(scan: Scan, logits: torch.Tensor) -> Float[np.ndarray, "H W"]:
    found: np.ndarray = scan.frame.logits_to_slice(logits)[0].cpu().numpy()
    return found
