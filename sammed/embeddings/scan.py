"""A scan: a volume as a backbone sees it, slice by slice, and the embeddings of its slices.

Slices are counted in the canonical stack S H W (`sammed_volumes.slices`). Each is encoded once: in this run,
and with a cache in all runs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Float16
from torch import Tensor

from sammed.backbones.backbone import Backbone
from sammed.embeddings.cache import EmbeddingCache
from sammed.embeddings.encode import halves_on_cpu
from sammed.embeddings.entry import encoding_key, slice_key
from sammed.embeddings.scratch import Scratch
from sammed_volumes.errors import VolumeError
from sammed_volumes.intensity import Window, apply, auto_window, resolve
from sammed_volumes.slices import Slicing, plan_slices
from sammed_volumes.volume import Volume

MOST_RECENT = 64
"""Embeddings that are kept in memory although the cache on disk has them: 128 MB of LiteMedSAM's."""


class Scan:
    """A volume, how it is sliced, the window that it is shown through, and the embeddings of its slices.

    The window shows the values `low`..`high` as 0..1; its percentiles, if it has any, are taken from this
    volume. Without a window the scan has the one that the values suggest (`auto_window`). Embeddings are made
    when first asked for and kept in half precision: with a `cache` there, and only the most recent ones in
    memory; without one, and where the cache can't take them, in memory and a file without a name (`Scratch`).
    `progress` is called for each slice that is encoded.
    """

    def __init__(
        self,
        volume: Volume,
        slicing: Slicing,
        window: Window | None,
        backbone: Backbone,
        cache: EmbeddingCache | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        self.volume = volume
        self.slicing = slicing
        self.window_is_given = window is not None
        self.window = window or auto_window(volume, slicing, None)
        self.backbone = backbone
        self.cache = cache
        self.low, self.high = self._range()
        self.frame = backbone.frame(slicing.height, slicing.width, slicing.pixel_spacing_mm)
        self._progress = progress
        self._kept = Scratch()

    def values(self, index: int) -> Float[np.ndarray, "H W *C"]:
        """Real values of one slice of the stack, float32."""
        return self.volume.values(self.slicing.to_stack(self.volume.voxels)[index])

    def image(self, index: int) -> Float[np.ndarray, "H W *C"]:
        """One slice of the stack through the window, float32 0..1."""
        return apply(self.values(index), self.low, self.high)

    @cached_property
    def digest(self) -> str:
        """sha256 of the voxels in the stack's order: the same however the array and its bytes are ordered."""
        digest = hashlib.sha256(str(self.slicing.stack_shape).encode())
        little_endian = self.volume.voxels.dtype.newbyteorder("<")
        for plane in self.slicing.to_stack(self.volume.voxels):
            digest.update(np.ascontiguousarray(plane, dtype=little_endian).data)
        return digest.hexdigest()

    def through(self, window: Window) -> Scan:
        """The same slices through another window; what was encoded through this one stays with this one."""
        scan = Scan(self.volume, self.slicing, window, self.backbone, self.cache, self._progress)
        scan.check_shown()
        return scan

    def check_shown(self) -> None:
        """Raise VolumeError unless the window shows something of the volume."""
        if not self.low < self.high:
            window = f"{self.window.low:g}..{self.window.high:g}"
            raise VolumeError(f"{self.volume.path}: the window {window} shows nothing of it.")

    def encode(self, indices: Iterable[int], progress: Callable[[int], None] | None = None) -> None:
        """Encode those of these slices that aren't yet; `progress` hears of each slice that is at hand."""
        missing = []
        for index in dict.fromkeys(indices):
            if self._is_at_hand(index):
                _tell(progress)
            else:
                missing.append(index)
        for _ in self._encoded(missing):
            _tell(progress)

    def embeddings(self, indices: Iterable[int]) -> Float[Tensor, "A 256 h w"]:
        """Embeddings of these slices of the stack, float32, in the order asked for."""
        wanted = list(indices)
        found = {index: self._find(index) for index in dict.fromkeys(wanted)}
        found.update(self._encoded([index for index, embedding in found.items() if embedding is None]))
        halves = [embedding for index in wanted if (embedding := found[index]) is not None]
        return torch.stack(halves).float().to(self.backbone.device)

    def _is_at_hand(self, index: int) -> bool:
        return index in self._kept or (self._disk is not None and self._disk.holds(index))

    def _find(self, index: int) -> Float16[Tensor, "256 h w"] | None:
        if index in self._kept:
            return self._kept.get(index)
        return self._disk.get(index) if self._disk else None

    def _encoded(self, missing: list[int]) -> Iterator[tuple[int, Float16[Tensor, "256 h w"]]]:
        """Encode slices, keep each, and give it with its index."""
        images = (self.image(index) for index in missing)
        embeddings = halves_on_cpu(self.backbone, images, self.frame)
        for index, embedding in zip(missing, embeddings, strict=True):
            if self._disk is None or not self._disk.put(index, embedding):
                self._kept.put(index, embedding)
            _tell(self._progress)
            yield index, embedding

    @cached_property
    def _disk(self) -> _CachedSlices | None:
        return None if self.cache is None else _CachedSlices(self, self.cache)

    def _range(self) -> tuple[float, float]:
        return resolve(self.window, self.volume, self.slicing)


def open_scan(
    volume: Volume,
    backbone: Backbone,
    *,
    window: Window | None = None,
    axis: int | None = None,
    cache: EmbeddingCache | None = None,
) -> Scan:
    """The volume as a scan: sliced along an array `axis` (None: that of the coarsest spacing).

    `window` None shows what the values suggest. Raises VolumeError where the window shows nothing.
    """
    slicing = plan_slices(volume.shape, volume.affine_ras_mm, axis)
    scan = Scan(volume, slicing, window, backbone, cache)
    scan.check_shown()
    return scan


class _CachedSlices:
    """The slices of one scan in the cache; each one's key is made once, the most recent embeddings stay."""

    def __init__(self, scan: Scan, cache: EmbeddingCache) -> None:
        self._cache = cache
        self._size = scan.backbone.embedding_size
        self._encoding = encoding_key(scan.backbone, scan.frame, scan.low, scan.high)
        self._volume = scan.digest
        self._values = scan.values
        self._keys: dict[int, str] = {}
        self._recent: dict[int, Tensor] = {}
        self._given: set[int] = set()

    def holds(self, index: int) -> bool:
        return index in self._recent or self._cache.holds(self._volume, self._key(index))

    def get(self, index: int) -> Float16[Tensor, "256 h w"] | None:
        found = self._recent.get(index)
        if found is None:
            found = self._cache.get(self._volume, self._key(index), self._size)
        if found is not None:
            self._remember(index, found)
        return found

    def put(self, index: int, embedding: Float16[Tensor, "256 h w"]) -> bool:
        """Whether the cache took it; what it lost once, as another process evicts, it isn't given again."""
        if index in self._given or not self._cache.put(self._volume, self._key(index), embedding):
            return False
        self._given.add(index)
        self._remember(index, embedding)
        return True

    def _remember(self, index: int, embedding: Tensor) -> None:
        self._recent.pop(index, None)
        self._recent[index] = embedding
        if len(self._recent) > MOST_RECENT:
            del self._recent[next(iter(self._recent))]

    def _key(self, index: int) -> str:
        if index not in self._keys:
            self._keys[index] = slice_key(self._encoding, self._values(index))
        return self._keys[index]


def _tell(progress: Callable[[int], None] | None) -> None:
    if progress is not None:
        progress(1)
