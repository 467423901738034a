"""Slices to embeddings, in batches, each slice once."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from sammed.backbones.backbone import Backbone
from sammed.backbones.frame import Frame
from sammed.errors import ConfigError

Progress = Callable[[int], None]
EMBEDDING_CHANNELS = 256


def iterate_embeddings(
    backbone: Backbone,
    images: Iterable[NDArray[np.float32]],
    frame: Frame,
    batch_size: int = 1,
    *,
    half: bool = False,
    progress: Progress | None = None,
) -> Iterator[Float[Tensor, "B 256 h w"]]:
    """Embeddings of slices H W or H W 3 of values 0..1, a batch at a time, in the order of the slices.

    No image or embedding is held longer than its batch. With `half` they are float16, which
    halves the memory, else float32. `progress` hears after each batch how many slices are done.
    """
    if batch_size < 1:
        raise ConfigError(f"A batch of {batch_size} slices can't be encoded; the least is 1.")
    remaining = iter(images)
    done = 0
    while batch := list(islice(remaining, batch_size)):
        pixels = torch.stack([backbone.prepare(image, frame) for image in batch])  # B 3 S S
        embeddings = backbone.encode(pixels)  # B 256 h w
        done += len(batch)
        if progress is not None:
            progress(done)
        yield embeddings.half() if half else embeddings


def encode_slices(
    backbone: Backbone,
    images: Iterable[NDArray[np.float32]],
    frame: Frame,
    batch_size: int = 1,
    *,
    half: bool = False,
    progress: Progress | None = None,
) -> Float[Tensor, "S 256 h w"]:
    """Embeddings of all slices in one tensor on the backbone's device; see `iterate_embeddings`."""
    batches = list(iterate_embeddings(backbone, images, frame, batch_size, half=half, progress=progress))
    if not batches:
        size = backbone.embedding_size
        dtype = torch.float16 if half else torch.float32
        return torch.empty(0, EMBEDDING_CHANNELS, size, size, dtype=dtype, device=backbone.device)
    return torch.cat(batches)
