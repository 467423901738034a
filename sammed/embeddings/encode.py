"""Encoding: slices to embeddings, in batches.

On CUDA three steps overlap: a thread prepares the next batch in pinned memory, another encodes the current
one and copies the result back, and the caller uses the previous one. On a CPU these steps would compete for
the cores, so they run one after another.
"""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Float, Float16
from numpy.typing import NDArray
from torch import Tensor

from sammed.backbones.backbone import Backbone
from sammed.backbones.frame import Frame
from sammed.errors import ConfigError

EMBEDDING_CHANNELS = 256
CUDA_BATCH_PIXELS = 8 * 256 * 256
"""Pixels that keep a GPU busy: eight slices for LiteMedSAM, one for SAM."""

Item = TypeVar("Item")
_END = object()


def usual_batch_size(backbone: Backbone) -> int:
    """Return how many slices to encode together: one on a CPU, where batches gain nothing."""
    if backbone.device.type != "cuda":
        return 1
    return max(1, CUDA_BATCH_PIXELS // backbone.image_size**2)


def iterate_embeddings(
    backbone: Backbone, images: Iterable[NDArray[np.float32]], frame: Frame, batch_size: int = 1
) -> Iterator[Float16[Tensor, "B 256 h w"]]:
    """Yield embeddings of slices H W or H W 3 of values 0..1, one batch at a time, in order.

    No image or embedding is held longer than its batch. Raises ConfigError for a batch size below 1.
    """
    if batch_size < 1:
        raise ConfigError(f"A batch can't have {batch_size} slices; the minimum is 1.")
    for pixels in _prepared(backbone, images, frame, batch_size):
        yield backbone.encode(pixels).half()


def halves_on_cpu(
    backbone: Backbone, images: Iterable[NDArray[np.float32]], frame: Frame
) -> Iterator[Float16[Tensor, "256 h w"]]:
    """Yield embeddings one by one, float16 on the CPU; batches and overlap suit the device."""
    batches = iterate_embeddings(backbone, images, frame, usual_batch_size(backbone))
    copied = (batch.cpu() for batch in batches)
    for batch in ahead(copied) if backbone.device.type == "cuda" else copied:
        if len(batch) == 1:
            yield batch[0]
        else:
            yield from (each.clone() for each in batch)  # a view would keep its whole batch alive


def ahead(items: Iterable[Item]) -> Iterator[Item]:
    """Yield the same items, each produced by a thread while the caller still uses the one before."""
    source = iter(items)
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, source, _END)
        while (item := coming.result()) is not _END:
            coming = thread.submit(next, source, _END)
            yield item  # type: ignore[misc]  # mypy can't tell that it is not _END


def _prepared(
    backbone: Backbone, images: Iterable[NDArray[np.float32]], frame: Frame, batch_size: int
) -> Iterator[Float[Tensor, "B 3 S S"]]:
    """Yield pixels for `Backbone.encode`, one batch at a time; on CUDA pinned and one batch ahead."""
    remaining = iter(images)
    batches = iter(lambda: list(islice(remaining, batch_size)), [])
    pixels = (torch.stack([backbone.prepare(image, frame) for image in batch]) for batch in batches)
    if backbone.device.type != "cuda":
        return pixels
    return ahead(batch.pin_memory() for batch in pixels)
