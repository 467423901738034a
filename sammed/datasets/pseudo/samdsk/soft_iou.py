"""The soft IoU of a probability map p with a union of proposals, as a fraction of sums over atoms.

    IoU(p, s) = Σ p s / Σ (p + s - p s)  over all pixels.

For a binary s this is the same as Σ min(p, s) / Σ max(p, s). With u_a = 1 for each atom that the union
covers, area A_a and mass P_a (the sum of p over the atom), and P the sum of p over the picture:

    IoU = Σ P_a u_a / (P + Σ (A_a - P_a) u_a).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from sammed.datasets.pseudo.samdsk.atoms import Atoms


@dataclass(frozen=True, slots=True, eq=False)
class SoftIou:
    """The fraction of one class. `total` is P."""

    membership: Bool[np.ndarray, "K A"]
    area: Float[np.ndarray, " A"]
    mass: Float[np.ndarray, " A"]
    total: float

    def of_atoms(self, covered: Float[np.ndarray, " A"] | Bool[np.ndarray, " A"]) -> float:
        """Return the IoU where `covered` states for each atom whether (or, relaxed, how much) it is covered.

        It is 1 where both the map and the union are empty, as for two empty masks.
        """
        both = float(self.mass @ covered)
        either = self.total + float((self.area - self.mass) @ covered)
        return both / either if either > 0 else 1.0

    def of(self, chosen: Iterable[int]) -> float:
        """Return the IoU of the map with the union of the chosen proposals, 0..1."""
        return self.of_atoms(np.logical_or.reduce(self.membership[list(chosen)], axis=0))

    def gains(self, ratio: float) -> Float[np.ndarray, " A"]:
        """Return what each covered atom adds to numerator - ratio x denominator (Dinkelbach's form)."""
        gains: Float[np.ndarray, " A"] = self.mass - ratio * (self.area - self.mass)
        return gains


def soft_iou(atoms: Atoms, probabilities: Float[np.ndarray, "H W"]) -> SoftIou:
    """Return the fraction of a class from its probability map (0..1)."""
    total = float(probabilities.sum(dtype=np.float64))
    return SoftIou(atoms.membership, atoms.area, atoms.mass(probabilities), total)
