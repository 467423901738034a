"""An entry of the cache: one embedding in a safetensors file, with a digest that tells damage.

The digest is over the entry's key as well, so a file under another's name is noticed too.
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
"""Raised when the same slice, window and backbone would give another embedding than before."""


class DamagedEntryError(SammedError):
    """The bytes are no whole entry of that key."""


def encoding_key(backbone: Backbone, frame: Frame, low: float, high: float) -> str:
    """In words, all but the slice's own values that makes an embedding what it is.

    `low` and `high` are the window's ends. What runs the encoder is left out: runtimes of one precision
    differ by less than the half precision that embeddings are kept in.
    """
    places = (frame.height, frame.width, frame.content_height, frame.content_width, frame.size)
    precision = str(backbone.dtype).removeprefix("torch.")
    return f"{EMBEDDING_VERSION} {backbone.digest} {precision} {places} {low!r} {high!r}"


def slice_key(encoding: str, values: Float[np.ndarray, "H W *C"]) -> str:
    """The digest that names a slice's entry, from `encoding_key` and the slice's real values, float32.

    Real values, so that the type and the byte order that a file stores them in make no difference.
    """
    digest = hashlib.sha256(f"{encoding} {values.shape} ".encode())
    digest.update(np.ascontiguousarray(values, dtype="<f4").data)
    return digest.hexdigest()


def pack(key: str, embedding: Float16[Tensor, "256 h w"]) -> bytes:
    """The entry's file; `unpack` reads it again."""
    embedding = embedding.contiguous()
    digest = torch.frombuffer(bytearray(_digest(key, embedding)), dtype=torch.uint8)
    return save({"embedding": embedding, "sha256": digest})


def unpack(key: str, content: bytes, size: int) -> Float16[Tensor, "256 h w"]:
    """The embedding of `size` x `size` cells in a file's bytes; DamagedEntryError unless all is right."""
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
