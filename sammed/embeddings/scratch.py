"""Scratch: embeddings that no cache keeps, some in memory and the rest in an unnamed temporary file.

The file disappears with its process. An embedding of LiteMedSAM takes 2 MB.
"""

import math
import tempfile
import weakref
from typing import IO

import torch
from jaxtyping import Float16
from torch import Tensor

MOST_IN_MEMORY = 256


class Scratch:
    """Embeddings of one shape, float16 on the CPU, by the index of their slice."""

    def __init__(self, most_in_memory: int = MOST_IN_MEMORY) -> None:
        self._most: float = most_in_memory
        self._memory: dict[int, Tensor] = {}
        self._file: IO[bytes] | None = None
        self._places: dict[int, tuple[int, torch.Size]] = {}

    def __len__(self) -> int:
        return len(self._memory) + len(self._places)

    def __contains__(self, index: int) -> bool:
        return index in self._memory or index in self._places

    def put(self, index: int, embedding: Float16[Tensor, "256 h w"]) -> None:
        """Keep an embedding; in memory if there is no space for a file."""
        if len(self._memory) >= self._most and self._write(index, embedding):
            return
        self._memory[index] = embedding

    def get(self, index: int) -> Float16[Tensor, "256 h w"]:
        """Return an embedding that was put; KeyError if there is none."""
        if index in self._memory:
            return self._memory[index]
        place, shape = self._places[index]
        assert self._file is not None
        self._file.seek(place)
        content = bytearray(self._file.read(2 * shape.numel()))
        return torch.frombuffer(content, dtype=torch.float16).view(shape)

    def _write(self, index: int, embedding: Tensor) -> bool:
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(prefix="sammed-")  # noqa: SIM115  it lives as long as this
                weakref.finalize(self, self._file.close)
            place = self._file.seek(0, 2)
            self._file.write(embedding.contiguous().numpy().data)
            self._file.flush()
        except OSError:
            self._most = math.inf  # the disk is full and will stay full
            return False
        self._places[index] = (place, embedding.shape)
        return True
