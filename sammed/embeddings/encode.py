"""Slices to embeddings, in batches, each slice once.

On CUDA three things overlap: a thread prepares the next batch in pinned memory, another has the device encode
and copies the result back, and the caller does with the last one what it wants. On a CPU they would take the
cores from each other, so there one thing follows another.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

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
CUDA_BATCH_PIXELS = 8 * 256 * 256
"""Pixels that keep a GPU busy: eight slices of LiteMedSAM's, one of SAM's."""

Item = TypeVar("Item")
_END = object()


def usual_batch_size(backbone: Backbone) -> int:
    """Slices that are encoded together: one on a CPU, where batches gain nothing."""
    if backbone.device.type != "cuda":
        return 1
    return max(1, CUDA_BATCH_PIXELS // backbone.image_size**2)


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
    done = 0
    for pixels in _prepared(backbone, images, frame, batch_size):
        embeddings = backbone.encode(pixels)  # B 256 h w
        done += len(pixels)
        if progress is not None:
            progress(done)
        yield embeddings.half() if half else embeddings


def halves_on_cpu(
    backbone: Backbone, images: Iterable[NDArray[np.float32]], frame: Frame
) -> Iterator[Float[Tensor, "256 h w"]]:
    """Embeddings one by one in float16 on the CPU, in batches and overlapping as suits the device."""
    batches = iterate_embeddings(backbone, images, frame, usual_batch_size(backbone), half=True)
    copied = (batch.cpu() for batch in batches)
    for batch in ahead(copied) if backbone.device.type == "cuda" else copied:
        if len(batch) == 1:
            yield batch[0]
        else:
            yield from (each.clone() for each in batch)  # a view would hold its whole batch


def ahead(items: Iterable[Item]) -> Iterator[Item]:
    """The same items, each made by a thread while the caller still works on the one before."""
    source = iter(items)
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, source, _END)
        while (item := coming.result()) is not _END:
            coming = thread.submit(next, source, _END)
            yield item  # type: ignore[misc]  # it is no _END, which mypy can't tell


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


def _prepared(
    backbone: Backbone, images: Iterable[NDArray[np.float32]], frame: Frame, batch_size: int
) -> Iterator[Float[Tensor, "B 3 S S"]]:
    """Pixels for `Backbone.encode`, a batch at a time, pinned and made ahead where a GPU waits for them."""
    remaining = iter(images)
    batches = iter(lambda: list(islice(remaining, batch_size)), [])
    pixels = (torch.stack([backbone.prepare(image, frame) for image in batch]) for batch in batches)
    if backbone.device.type != "cuda":
        return pixels
    return ahead(batch.pin_memory() for batch in pixels)
