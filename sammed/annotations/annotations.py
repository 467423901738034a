"""Annotations: the slices that an annotator marked, in the canonical stack of a scan."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, UInt
from scipy import ndimage
from torch import Tensor

from sammed.errors import AnnotationError
from sammed_volumes.labels import Label

FRAGMENT = 0.05
"""A piece smaller than this share of the largest one is a fragment, not a component."""


@dataclass(frozen=True, slots=True, eq=False)
class Annotations:
    """Annotated slices of a stack; `masks` holds a label's value in each pixel, 0 where there is none.

    `indices` count in the stack, ascending. A slice that is not among them is unknown, not empty. Raises
    AnnotationError for other indices, and for a label that no annotated slice shows.
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
        """Return the masks of one label."""
        where: np.ndarray = self.masks == label.value
        return where

    def tensor(self) -> Bool[Tensor, "k A H W"]:
        """Return the masks of all labels, in their order."""
        return torch.from_numpy(np.stack([self.mask(label) for label in self.labels]))

    def showing(self, label: Label) -> tuple[int, ...]:
        """Return the rows of the annotated slices that show the label."""
        return tuple(np.flatnonzero(self.mask(label).any(axis=(1, 2))).tolist())

    @property
    def foreground(self) -> tuple[int, ...]:
        """Rows of the annotated slices that show any label."""
        return tuple(np.flatnonzero(np.isin(self.masks, self._values).any(axis=(1, 2))).tolist())

    def region(self, count: int) -> Bool[np.ndarray, "S H W"]:
        """Return where any label was marked, in a stack of `count` slices."""
        found = np.zeros((count, *self.masks.shape[1:]), dtype=bool)
        found[list(self.indices)] = self.masks > 0
        return found

    def without(self, rows: tuple[int, ...]) -> "Annotations":
        """Return the other annotated slices, with the labels that they still show."""
        kept = [row for row in range(len(self.indices)) if row not in rows]
        masks = self.masks[kept]
        labels = tuple(label for label in self.labels if (masks == label.value).any())
        return Annotations(tuple(self.indices[row] for row in kept), masks, labels)

    def components(self, label: Label) -> int:
        """Return the most components of a label in any annotated slice, without fragments (K of 4.3)."""
        return max(_components(mask) for mask in self.mask(label)[list(self.showing(label))])

    def objects(self, label: Label) -> int:
        """Return how many components a label has in 3-D, as far as slices of one volume show.

        Pieces that overlap in neighboring annotated slices are one component. A structure that runs obliquely
        doesn't overlap itself, so the result is never more than `components`.
        """
        return min(self.components(label), _components(self.mask(label)))

    @property
    def _values(self) -> list[int]:
        return [label.value for label in self.labels]


def _components(mask: Bool[np.ndarray, "*axes"]) -> int:
    """Count connected pieces without fragments; pixels that touch at a corner are connected."""
    numbered, _ = ndimage.label(mask, np.ones((3,) * mask.ndim))
    sizes = np.bincount(numbered.ravel())[1:]
    return int(np.count_nonzero(sizes >= FRAGMENT * sizes.max()))
