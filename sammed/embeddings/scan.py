"""A scan: a volume as a backbone sees it, slice by slice, and the embeddings of its slices.

Slices are counted in the canonical stack S H W (`sammed_volumes.slices`). Each slice is encoded once: in this
run, or, with a cache, in all runs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float, Float16
from torch import Tensor

from sammed.backbones.backbone import Backbone
from sammed.backbones.frame import Frame
from sammed.embeddings.cache import EmbeddingCache
from sammed.embeddings.encode import halves_on_cpu
from sammed.embeddings.entry import encoding_key, slice_key
from sammed.embeddings.scratch import Scratch
from sammed_volumes.errors import VolumeError
from sammed_volumes.intensity import Window, apply, auto_window, resolve
from sammed_volumes.slices import Slicing, plan_slices
from sammed_volumes.volume import Volume

MOST_RECENT = 64
"""Embeddings kept in memory besides the cache on disk: 128 MB for LiteMedSAM."""


class Scan:
    """A volume, how it is sliced, the window that it is shown through, and the embeddings of its slices.

    The window maps the values `low`..`high` to 0..1; a window of percentiles takes them from this volume.
    Without a window the scan uses the one that its values suggest (`auto_window`). Slices are encoded when
    their embeddings are first needed, and kept in half precision: in the `cache`, with only the most recent
    ones in memory; without a cache, or if it can't take them, in memory and in an unnamed file (`Scratch`).
    `progress` is called for each slice that is encoded. `backbone` may be a function that loads it.
    """

    def __init__(
        self,
        volume: Volume,
        slicing: Slicing,
        window: Window | None,
        backbone: Backbone | Callable[[], Backbone],
        cache: EmbeddingCache | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        self.volume = volume
        self.slicing = slicing
        self.window_is_given = window is not None
        self.window = window or auto_window(volume, slicing, None)
        self.cache = cache
        self.low, self.high = self._range()
        self._backbone = backbone
        self._progress = progress
        self._kept = Scratch()

    @cached_property
    def backbone(self) -> Backbone:
        """The backbone, loaded when it is first needed."""
        return self._backbone() if callable(self._backbone) else self._backbone

    @cached_property
    def frame(self) -> Frame:
        """Where the slices lie in the backbone's square."""
        slicing = self.slicing
        return self.backbone.frame(slicing.height, slicing.width, slicing.pixel_spacing_mm)

    def values(self, index: int) -> Float[np.ndarray, "H W *C"]:
        """Return the real values of one slice of the stack, float32."""
        return self.volume.values(self.slicing.to_stack(self.volume.voxels)[index])

    def image(self, index: int) -> Float[np.ndarray, "H W *C"]:
        """Return one slice of the stack through the window, float32 0..1."""
        return apply(self.values(index), self.low, self.high)

    @cached_property
    def digest(self) -> str:
        """The sha256 of the voxels in the stack's order; the array's axes and bytes may be in any order."""
        digest = hashlib.sha256(str(self.slicing.stack_shape).encode())
        little_endian = self.volume.voxels.dtype.newbyteorder("<")
        for plane in self.slicing.to_stack(self.volume.voxels):
            digest.update(np.ascontiguousarray(plane, dtype=little_endian).data)
        return digest.hexdigest()

    def through(self, window: Window) -> Scan:
        """Return a scan of the same slices through another window; it shares no embeddings with this one."""
        scan = Scan(self.volume, self.slicing, window, self._backbone, self.cache, self._progress)
        scan.check_shown()
        return scan

    def through_window_of(self, region: Bool[np.ndarray, "S H W"]) -> Scan:
        """Return a scan through the window that shows a region well; this scan if its window was given."""
        if self.window_is_given:
            return self
        return self.through(auto_window(self.volume, self.slicing, region))

    def check_shown(self) -> None:
        """Raise VolumeError if the window shows nothing of the volume."""
        if not self.low < self.high:
            window = f"{self.window.low:g}..{self.window.high:g}"
            raise VolumeError(f"{self.volume.path}: the window {window} shows nothing of it.")

    def encode(self, indices: Iterable[int], progress: Callable[[int], None] | None = None) -> None:
        """Encode the given slices where needed; `progress` is called once for each slice that is ready."""
        missing = []
        for index in dict.fromkeys(indices):
            if self._is_ready(index):
                _report(progress)
            else:
                missing.append(index)
        for _ in self._encoded(missing):
            _report(progress)

    def embeddings(self, indices: Iterable[int]) -> Float[Tensor, "A 256 h w"]:
        """Return embeddings of slices of the stack, float32, in the given order."""
        wanted = list(indices)
        found = {index: self._find(index) for index in dict.fromkeys(wanted)}
        found.update(self._encoded([index for index, embedding in found.items() if embedding is None]))
        halves = [embedding for index in wanted if (embedding := found[index]) is not None]
        return torch.stack(halves).float().to(self.backbone.device)

    def _is_ready(self, index: int) -> bool:
        return index in self._kept or (self._disk is not None and self._disk.holds(index))

    def _find(self, index: int) -> Float16[Tensor, "256 h w"] | None:
        if index in self._kept:
            return self._kept.get(index)
        return self._disk.get(index) if self._disk else None

    def _encoded(self, missing: list[int]) -> Iterator[tuple[int, Float16[Tensor, "256 h w"]]]:
        """Encode slices, keep each embedding, and yield it with its index."""
        images = (self.image(index) for index in missing)
        embeddings = halves_on_cpu(self.backbone, images, self.frame)
        for index, embedding in zip(missing, embeddings, strict=True):
            if self._disk is None or not self._disk.put(index, embedding):
                self._kept.put(index, embedding)
            _report(self._progress)
            yield index, embedding

    @cached_property
    def _disk(self) -> _CachedSlices | None:
        return None if self.cache is None else _CachedSlices(self, self.cache)

    def _range(self) -> tuple[float, float]:
        return resolve(self.window, self.volume, self.slicing)


def open_scan(
    volume: Volume,
    backbone: Backbone | Callable[[], Backbone],
    *,
    window: Window | None = None,
    axis: int | None = None,
    cache: EmbeddingCache | None = None,
) -> Scan:
    """Return the volume as a scan, sliced along an array `axis` (None: that of the coarsest spacing).

    `window` None takes the one that the values suggest. Raises VolumeError if the window shows nothing.
    """
    slicing = plan_slices(volume.shape, volume.affine_ras_mm, axis)
    scan = Scan(volume, slicing, window, backbone, cache)
    scan.check_shown()
    return scan


class _CachedSlices:
    """The slices of one scan in the cache: computes each key once and holds the most recent embeddings."""

    def __init__(self, scan: Scan, cache: EmbeddingCache) -> None:
        self._cache = cache
        self._size = scan.backbone.embedding_size
        self._encoding = encoding_key(scan.backbone, scan.frame, scan.low, scan.high)
        self._volume = scan.digest
        self._values = scan.values
        self._keys: dict[int, str] = {}
        self._recent: dict[int, Tensor] = {}
        self._offered: set[int] = set()

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
        """Return whether the cache took it; an entry that was evicted is not offered again."""
        if index in self._offered or not self._cache.put(self._volume, self._key(index), embedding):
            return False
        self._offered.add(index)
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


def _report(progress: Callable[[int], None] | None) -> None:
    if progress is not None:
        progress(1)
