"""The cache of embeddings on disk: a slice that any process has encoded is not encoded again.

There is one file per slice and one folder per volume (`sammed.embeddings.cache_folder`). Each file is moved
into place when it is complete: a killed process leaves no damaged entry, and processes can share a cache
without locks. If the disk is full or can't be written, or if the folder holds the cache of another version,
there is one warning and the work goes on without a cache.
"""

import logging
from pathlib import Path

from jaxtyping import Float16
from torch import Tensor

from sammed.embeddings.cache_config import LIMIT_VARIABLE, CacheConfig
from sammed.embeddings.cache_folder import (
    LAYOUT,
    SUFFIX,
    cached_volumes,
    layout_of,
    mark_used,
    remove_cached,
    remove_leftovers,
    write_layout,
)
from sammed.embeddings.entry import DamagedEntryError, pack, unpack
from sammed_volumes.atomic_file import atomic_file
from sammed_volumes.errors import OutputError

RECOUNT_BYTES = 256 << 20
"""After writing this many bytes, a process counts again what other processes wrote."""

logger = logging.getLogger("sammed")


class EmbeddingCache:
    """Embeddings by the digests of their volume and of their slice (64 hexadecimal digits each)."""

    def __init__(self, config: CacheConfig) -> None:
        self.config = config
        self._warned: set[str] = set()
        self._readable = config.limit_bytes > 0 and self._is_of_this_version()
        self._writable = self._readable
        self._bytes: int | None = None  # in the whole cache, as far as known
        self._until_recount = 0

    def holds(self, volume: str, key: str) -> bool:
        """Whether there is an entry; only `get` checks that it is intact."""
        try:
            return self._readable and self._path(volume, key).is_file()
        except OSError:  # `get` reports the reason
            return False

    def get(self, volume: str, key: str, size: int) -> Float16[Tensor, "256 h w"] | None:
        """Return an embedding of `size` x `size` cells; None if there is none or it is damaged."""
        if not self._readable:
            return None
        try:
            found = unpack(key, self._path(volume, key).read_bytes(), size)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except DamagedEntryError:
            self._warn(f"The cache in {self.config.folder} has a damaged entry; the slice is encoded again.")
            return None
        except OSError as error:
            self._readable = self._writable = False
            self._warn(f"The cache in {self.config.folder} can't be read ({_reason(error)}); it isn't used.")
            return None
        mark_used(self._folder(volume))
        return found

    def put(self, volume: str, key: str, embedding: Float16[Tensor, "256 h w"]) -> bool:
        """Keep an embedding and return whether that worked; its own volume is never evicted for it."""
        if not self._writable:
            return False
        content = pack(key, embedding)
        try:
            return self._make_room(volume, len(content)) and self._write(volume, key, content)
        except (OSError, OutputError) as error:
            self._writable = False
            self._warn(
                f"The cache in {self.config.folder} can't be written ({_reason(error)}); "
                "nothing is added to it."
            )
            return False

    def _write(self, volume: str, key: str, content: bytes) -> bool:
        """Write an entry; a second process that writes it replaces it with the same content."""
        path = self._path(volume, key)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with atomic_file(path, SUFFIX, overwrite=True) as partial:
                partial.write_bytes(content)
        except OutputError:
            if path.parent.is_dir():
                raise
            return False  # another process has just evicted the volume
        self._bytes = (self._bytes or 0) + len(content)
        self._until_recount -= len(content)
        return True

    def _make_room(self, volume: str, wanted: int) -> bool:
        """Evict the least recently used volumes until `wanted` bytes fit; False if they can't fit."""
        if self._bytes is None or self._until_recount <= 0:
            self._recount()
        if (self._bytes or 0) + wanted <= self.config.limit_bytes:
            return True
        self._bytes = self._evict(volume, self.config.limit_bytes - wanted)
        if self._bytes + wanted <= self.config.limit_bytes:
            return True
        self._warn(
            f"One volume's embeddings take more than the cache may, {self.config.limit_bytes / 1e9:g} GB; "
            f"the rest is not kept on disk. {LIMIT_VARIABLE} sets another limit."
        )
        return False

    def _evict(self, volume: str, most: int) -> int:
        """Remove other volumes, the least recently used first, down to `most` bytes; return what is left."""
        found = cached_volumes(self.config.folder)
        left = sum(each.bytes for each in found)
        for each in found:
            if left <= most:
                break
            if each.path != self._folder(volume):
                remove_cached(each.path)
                left -= each.bytes
        return left

    def _recount(self) -> None:
        write_layout(self.config.folder)
        found = cached_volumes(self.config.folder)
        for each in found:
            remove_leftovers(each.path)
        self._bytes = sum(each.bytes for each in found)
        self._until_recount = min(RECOUNT_BYTES, self.config.limit_bytes // 16)

    def _is_of_this_version(self) -> bool:
        folder = self.config.folder
        try:
            layout = layout_of(folder)
        except OSError as error:
            self._warn(f"The cache in {folder} can't be read ({_reason(error)}); it isn't used.")
            return False
        if layout in (None, LAYOUT):
            return True
        self._warn(
            f"The cache in {folder} belongs to another version of sammed; it isn't used. "
            "`sammed cache clear` empties it."
        )
        return False

    def _folder(self, volume: str) -> Path:
        return self.config.folder / volume

    def _path(self, volume: str, key: str) -> Path:
        return self._folder(volume) / (key + SUFFIX)

    def _warn(self, sentence: str) -> None:
        """Log a warning once, however many slices it concerns."""
        if sentence not in self._warned:
            self._warned.add(sentence)
            logger.warning(sentence)


def _reason(error: BaseException) -> str:
    """Return the system's own message, without the file name and the advice around it."""
    cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
    return (cause.strerror if isinstance(cause, OSError) else None) or str(cause)
