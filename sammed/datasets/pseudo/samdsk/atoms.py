"""Atoms: pixels that the same proposals cover form one atom.

A union of proposals is a union of atoms, so an intersection or an area over pixels is a sum over atoms. A
picture has some hundred thousand pixels, but only some hundred atoms.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int64, UInt8

from sammed.datasets.pseudo.proposals.proposals import Proposals


@dataclass(frozen=True, slots=True, eq=False)
class Atoms:
    """`membership` marks which of K proposals cover each of A atoms; `area` is an atom's number of pixels.

    `of_pixel` is each pixel's atom, in the picture's order, and A where no proposal covers it.
    """

    membership: Bool[np.ndarray, "K A"]
    area: Float[np.ndarray, " A"]
    of_pixel: Int64[np.ndarray, " pixels"]

    def mass(self, probabilities: Float[np.ndarray, "H W"]) -> Float[np.ndarray, " A"]:
        """Return the sum of a probability map over each atom."""
        count = self.membership.shape[1]
        sums = np.bincount(self.of_pixel, probabilities.reshape(-1).astype(np.float64), minlength=count + 1)
        return sums[:count]


def find_atoms(proposals: Proposals) -> Atoms:
    """Return the atoms of a picture's proposals, in a fixed order."""
    signatures = _signatures(proposals)
    # Neighbors mostly share a signature, so only the starts of runs need sorting.
    starts = np.flatnonzero(np.r_[True, (signatures[1:] != signatures[:-1]).any(axis=1)])
    distinct, of_run = distinct_rows(signatures[starts])
    lengths = np.diff(np.r_[starts, len(signatures)])
    membership = np.unpackbits(distinct, axis=1, count=proposals.count, bitorder="little").astype(bool).T
    covered = membership.any(axis=0)
    atom_of = np.where(covered, np.cumsum(covered) - 1, covered.sum())
    of_pixel = np.repeat(atom_of[of_run], lengths).astype(np.int64)
    area = np.bincount(of_pixel, minlength=int(covered.sum()) + 1)[: covered.sum()]
    return Atoms(membership[:, covered], area.astype(np.float64), of_pixel)


def distinct_rows(
    rows: UInt8[np.ndarray, "N bytes"],
) -> tuple[UInt8[np.ndarray, "D bytes"], Int64[np.ndarray, " N"]]:
    """Return the distinct rows in ascending order of their bytes, and the index of each row among them."""
    if rows.shape[1] == 0:
        return rows[:1], np.zeros(len(rows), dtype=np.int64)
    whole = np.ascontiguousarray(rows).view(np.dtype((np.void, rows.shape[1]))).reshape(-1)
    _, first, inverse = np.unique(whole, return_index=True, return_inverse=True)
    return rows[first], inverse.reshape(-1).astype(np.int64)


def _signatures(proposals: Proposals) -> UInt8[np.ndarray, "pixels bytes"]:
    """Return for each pixel a bit for each proposal, the first proposal in the lowest bit."""
    pixels = proposals.height * proposals.width
    signatures = np.zeros((pixels, (proposals.count + 7) // 8), dtype=np.uint8)
    for index in range(proposals.count):
        bits = np.unpackbits(proposals.packed[index], count=pixels)
        signatures[:, index // 8] |= bits << np.uint8(index % 8)
    return signatures
