"""A scan: a volume as the backbone sees it, slice by slice, and the embeddings of its slices.

Slices are counted in the canonical stack S H W (`sammed_volumes.slices`). Each is encoded once.
"""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sammed.backbones.backbone import Backbone
from sammed.backbones.frame import Frame
from sammed.embeddings.encode import iterate_embeddings
from sammed_volumes.intensity import Window, apply, resolve
from sammed_volumes.slices import Slicing
from sammed_volumes.volume import Volume


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """A volume, how it is sliced, and the range of values `low`..`high` that is shown as 0..1."""

    volume: Volume
    slicing: Slicing
    low: float
    high: float

    def values(self, index: int) -> Float[np.ndarray, "H W *C"]:
        """Real values of one slice of the stack, float32."""
        return self.volume.values(self.slicing.to_stack(self.volume.voxels)[index])

    def image(self, index: int) -> Float[np.ndarray, "H W *C"]:
        """One slice of the stack through the window, float32 0..1."""
        return apply(self.values(index), self.low, self.high)

    def digest(self) -> str:
        """sha256 of the voxels in the stack's order: the same however the array is stored."""
        digest = hashlib.sha256(str(self.slicing.stack_shape).encode())
        for plane in self.slicing.to_stack(self.volume.voxels):
            digest.update(np.ascontiguousarray(plane).tobytes())
        return digest.hexdigest()

    def frame(self, backbone: Backbone) -> Frame:
        """Where the slices lie in the backbone's square."""
        return backbone.frame(self.slicing.height, self.slicing.width, self.slicing.pixel_spacing_mm)


def open_scan(volume: Volume, slicing: Slicing, window: Window) -> Scan:
    """The volume as a scan; the window's percentiles, if it has any, are taken from this volume."""
    low, high = resolve(window, volume, slicing)
    return Scan(volume, slicing, low, high)


class EncodedScan:
    """Embeddings of a scan's slices, made when first asked for and kept in half precision."""

    def __init__(self, scan: Scan, backbone: Backbone, progress: Callable[[int], None] | None = None) -> None:
        self.scan = scan
        self.backbone = backbone
        self.frame = scan.frame(backbone)
        self._progress = progress
        self._kept: dict[int, Tensor] = {}

    def embeddings(self, indices: Iterable[int]) -> Float[Tensor, "A 256 h w"]:
        """Embeddings of these slices of the stack, float32, in the order asked for."""
        wanted = list(indices)
        missing = [index for index in dict.fromkeys(wanted) if index not in self._kept]
        images = (self.scan.image(index) for index in missing)
        batches = iterate_embeddings(self.backbone, images, self.frame, half=True)
        for index, batch in zip(missing, batches, strict=True):
            self._kept[index] = batch[0].cpu()
            if self._progress is not None:
                self._progress(1)
        return torch.stack([self._kept[index] for index in wanted]).float().to(self.backbone.device)
