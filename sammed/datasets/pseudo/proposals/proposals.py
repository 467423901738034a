"""Proposals: the masks that a frozen SAM suggests in one picture, whatever they show (SamDSK 3.1)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, UInt8

from sammed.errors import ConfigError


@dataclass(frozen=True, slots=True, eq=False)
class Proposals:
    """K binary masks H W, each a row of bits: the masks that equations 1 to 3 choose from."""

    packed: UInt8[np.ndarray, "K bytes"]
    height: int
    width: int

    def __post_init__(self) -> None:
        wanted = (self.height * self.width + 7) // 8
        if self.packed.ndim != 2 or self.packed.shape[1] != wanted:
            raise ConfigError(
                f"Masks of {self.height} x {self.width} pixels take {wanted} bytes, not {self.packed.shape}."
            )

    @property
    def count(self) -> int:
        """K, the number of masks."""
        return len(self.packed)

    def mask(self, index: int) -> Bool[np.ndarray, "H W"]:
        """Return one of the masks."""
        return self.union([index])

    def union(self, chosen: Iterable[int]) -> Bool[np.ndarray, "H W"]:
        """Return the union of the chosen masks: τ of their sum; empty where none is chosen."""
        covered = np.zeros(self.packed.shape[1], dtype=np.uint8)
        for index in chosen:
            covered |= self.packed[index]
        bits = np.unpackbits(covered, count=self.height * self.width)
        return bits.reshape(self.height, self.width).astype(bool)


def pack(masks: Iterable[Bool[np.ndarray, "H W"]], height: int, width: int) -> Proposals:
    """Return the masks as proposals, in their order; there may be none."""
    rows = [np.packbits(mask.reshape(-1)) for mask in masks]
    size = (height * width + 7) // 8
    return Proposals(np.stack(rows) if rows else np.zeros((0, size), dtype=np.uint8), height, width)
