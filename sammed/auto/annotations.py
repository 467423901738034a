"""Annotated slices: what a person marked, in the canonical stack of a scan."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, UInt
from scipy import ndimage
from torch import Tensor

from sammed.errors import AnnotationError
from sammed_volumes.labels import Label

FRAGMENT = 0.05
"""A piece of a label below this share of the largest one is a fragment, and no component."""


@dataclass(frozen=True, slots=True, eq=False)
class Annotations:
    """Slices of a stack on which empty means empty; `masks` holds a label's value in each pixel.

    `indices` count in the stack, ascending. A slice that is not among them is unknown, not empty.
    """

    indices: tuple[int, ...]
    masks: UInt[np.ndarray, "A H W"]
    labels: tuple[Label, ...]

    def __post_init__(self) -> None:
        if len(self.indices) != len(self.masks) or list(self.indices) != sorted(set(self.indices)):
            raise AnnotationError("Annotated slices need one mask each, in ascending order.")
        for label in self.labels:
            if not (self.masks == label.value).any():
                raise AnnotationError(f"No annotated slice shows the label {label.name!r} ({label.value}).")

    def mask(self, label: Label) -> Bool[np.ndarray, "A H W"]:
        """Where one label is."""
        where: np.ndarray = self.masks == label.value
        return where

    def tensor(self) -> Bool[Tensor, "k A H W"]:
        """All labels' masks, in their order."""
        return torch.from_numpy(np.stack([self.mask(label) for label in self.labels]))

    def showing(self, label: Label) -> tuple[int, ...]:
        """Rows of the annotated slices that show the label."""
        return tuple(np.flatnonzero(self.mask(label).any(axis=(1, 2))).tolist())

    @property
    def foreground(self) -> tuple[int, ...]:
        """Rows of the annotated slices that show any label."""
        return tuple(np.flatnonzero(np.isin(self.masks, self._values).any(axis=(1, 2))).tolist())

    def region(self, count: int) -> Bool[np.ndarray, "S H W"]:
        """Where any label was marked, in a stack of `count` slices."""
        found = np.zeros((count, *self.masks.shape[1:]), dtype=bool)
        found[list(self.indices)] = self.masks > 0
        return found

    def without(self, rows: tuple[int, ...]) -> "Annotations":
        """The other annotated slices, with those labels that they still show."""
        kept = [row for row in range(len(self.indices)) if row not in rows]
        masks = self.masks[kept]
        labels = tuple(label for label in self.labels if (masks == label.value).any())
        return Annotations(tuple(self.indices[row] for row in kept), masks, labels)

    def components(self, label: Label) -> int:
        """The most components, without fragments, that any annotated slice shows of a label (K of 4.3)."""
        return max(_components(mask) for mask in self.mask(label)[list(self.showing(label))])

    def objects(self, label: Label) -> int:
        """How many components a label has in 3-D, as far as slices of one volume tell: `components` or fewer.

        Pieces that lie over one another in neighboring annotated slices are one. What runs aslant doesn't
        lie over itself, hence never more than one slice shows.
        """
        return min(self.components(label), _components(self.mask(label)))

    @property
    def _values(self) -> list[int]:
        return [label.value for label in self.labels]


def _components(mask: Bool[np.ndarray, "*axes"]) -> int:
    """Connected pieces without fragments; pixels that touch at a corner belong together."""
    numbered, _ = ndimage.label(mask, np.ones((3,) * mask.ndim))
    sizes = np.bincount(numbered.ravel())[1:]
    return int(np.count_nonzero(sizes >= FRAGMENT * sizes.max()))
