"""An entry of the cache: one embedding in a safetensors file, with a digest that detects damage.

The digest covers the entry's key too, so that a file under the wrong name is detected as well.
"""

import hashlib

import numpy as np
import torch
from jaxtyping import Float, Float16
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from sammed.backbones.backbone import Backbone
from sammed.backbones.frame import Frame
from sammed.embeddings.encode import EMBEDDING_CHANNELS
from sammed.errors import SammedError

EMBEDDING_VERSION = 1
"""Raised when the same slice, window and backbone would give a different embedding than before."""


class DamagedEntryError(SammedError):
    """The bytes are not an intact entry with this key."""


def encoding_key(backbone: Backbone, frame: Frame, low: float, high: float) -> str:
    """Return, as text, everything that an embedding depends on except the values of the slice.

    `low` and `high` are the ends of the window. The runtime is left out: runtimes of the same precision
    differ by less than the half precision of the entries.
    """
    places = (frame.height, frame.width, frame.content_height, frame.content_width, frame.size)
    precision = str(backbone.dtype).removeprefix("torch.")
    return f"{EMBEDDING_VERSION} {backbone.digest} {precision} {places} {low!r} {high!r}"


def slice_key(encoding: str, values: Float[np.ndarray, "H W *C"]) -> str:
    """Return the digest that names a slice's entry, from `encoding_key` and the slice's real values, float32.

    Real values, so that the type and the byte order of the file make no difference.
    """
    digest = hashlib.sha256(f"{encoding} {values.shape} ".encode())
    digest.update(np.ascontiguousarray(values, dtype="<f4").data)
    return digest.hexdigest()


def pack(key: str, embedding: Float16[Tensor, "256 h w"]) -> bytes:
    """Return the content of the entry's file; `unpack` reads it."""
    embedding = embedding.contiguous()
    digest = torch.frombuffer(bytearray(_digest(key, embedding)), dtype=torch.uint8)
    return save({"embedding": embedding, "sha256": digest})


def unpack(key: str, content: bytes, size: int) -> Float16[Tensor, "256 h w"]:
    """Return the embedding of `size` x `size` cells in a file's bytes; DamagedEntryError if it is damaged."""
    try:
        tensors = load(content)
        embedding, digest = tensors["embedding"], bytes(tensors["sha256"].tolist())
    except (SafetensorError, KeyError, ValueError, TypeError, OverflowError, RuntimeError) as error:
        raise DamagedEntryError(str(error)) from error
    if embedding.dtype != torch.float16 or embedding.shape != (EMBEDDING_CHANNELS, size, size):
        raise DamagedEntryError(f"{embedding.dtype} {tuple(embedding.shape)}")
    if digest != _digest(key, embedding):
        raise DamagedEntryError("the digest is wrong")
    return embedding


def _digest(key: str, embedding: Tensor) -> bytes:
    digest = hashlib.sha256(key.encode())
    digest.update(embedding.numpy().data)
    return digest.digest()
