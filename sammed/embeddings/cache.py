"""The cache of embeddings on disk: what was encoded once, by whichever process, need not be encoded again.

One file a slice, one folder a volume (`sammed.embeddings.cache_folder`), each file moved to its place when
whole: a process that is killed leaves nothing half done, and processes share a cache without knowing of
each other. Where the disk is full, can't be written or holds another version's cache, a warning says so once
and the work goes on without.
"""

import logging
from pathlib import Path

from jaxtyping import Float16
from torch import Tensor

from sammed.embeddings.cache_config import LIMIT_VARIABLE, CacheConfig
from sammed.embeddings.cache_folder import (
    LAYOUT,
    SUFFIX,
    layout_of,
    mark_used,
    remove_leftovers,
    remove_shelf,
    shelves,
    write_layout,
)
from sammed.embeddings.entry import DamagedEntryError, pack, unpack
from sammed_volumes.atomic_file import atomic_file
from sammed_volumes.errors import OutputError

RECOUNT_BYTES = 256 << 20
"""After so many bytes that a process wrote it looks again what others wrote."""

logger = logging.getLogger("sammed")


class EmbeddingCache:
    """Embeddings by the digests of their volume and of their slice (64 hexadecimal digits each)."""

    def __init__(self, config: CacheConfig) -> None:
        self.config = config
        self._said: set[str] = set()
        self._readable = config.limit_bytes > 0 and self._is_of_this_version()
        self._writable = self._readable
        self._bytes: int | None = None  # in the whole cache, as far as known
        self._until_recount = 0

    def holds(self, volume: str, key: str) -> bool:
        """Whether there is an entry; `get` says whether it is whole."""
        try:
            return self._readable and self._path(volume, key).is_file()
        except OSError:  # what is wrong, `get` will say
            return False

    def get(self, volume: str, key: str, size: int) -> Float16[Tensor, "256 h w"] | None:
        """An embedding of `size` x `size` cells; None where there is none, or a damaged one."""
        if not self._readable:
            return None
        try:
            found = unpack(key, self._path(volume, key).read_bytes(), size)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except DamagedEntryError:
            self._warn(f"The cache in {self.config.folder} has a damaged entry; it is made again.")
            return None
        except OSError as error:
            self._readable = self._writable = False
            self._warn(f"The cache in {self.config.folder} can't be read ({_reason(error)}); it isn't used.")
            return None
        mark_used(self._shelf(volume))
        return found

    def put(self, volume: str, key: str, embedding: Float16[Tensor, "256 h w"]) -> bool:
        """Keep an embedding; False where that can't be. The volume's own entries are never evicted for it."""
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
        """Write an entry; whoever comes second replaces like by like."""
        path = self._path(volume, key)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with atomic_file(path, SUFFIX, overwrite=True) as partial:
                partial.write_bytes(content)
        except OutputError:
            if path.parent.is_dir():
                raise
            return False  # another process evicted the volume at this very moment
        self._bytes = (self._bytes or 0) + len(content)
        self._until_recount -= len(content)
        return True

    def _make_room(self, volume: str, wanted: int) -> bool:
        """Evict the least recently used volumes until `wanted` bytes fit; False where they can't."""
        if self._bytes is None or self._until_recount <= 0:
            self._recount()
        if (self._bytes or 0) + wanted <= self.config.limit_bytes:
            return True
        self._bytes = self._evict(volume, self.config.limit_bytes - wanted)
        if self._bytes + wanted <= self.config.limit_bytes:
            return True
        self._warn(
            f"One volume's embeddings take more than the cache may, {self.config.limit_bytes / 1e9:g} GB; "
            f"the rest of them isn't kept on disk. {LIMIT_VARIABLE} sets another limit."
        )
        return False

    def _evict(self, volume: str, most: int) -> int:
        """Remove other volumes, the least recently used first, down to `most` bytes; what is left."""
        found = shelves(self.config.folder)
        left = sum(shelf.bytes for shelf in found)
        for shelf in found:
            if left <= most:
                break
            if shelf.path != self._shelf(volume):
                remove_shelf(shelf.path)
                left -= shelf.bytes
        return left

    def _recount(self) -> None:
        write_layout(self.config.folder)
        found = shelves(self.config.folder)
        for shelf in found:
            remove_leftovers(shelf.path)
        self._bytes = sum(shelf.bytes for shelf in found)
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
            f"The cache in {folder} is of another version of sammed; it isn't used. "
            "`sammed cache clear` empties it."
        )
        return False

    def _shelf(self, volume: str) -> Path:
        return self.config.folder / volume

    def _path(self, volume: str, key: str) -> Path:
        return self._shelf(volume) / (key + SUFFIX)

    def _warn(self, sentence: str) -> None:
        """Warn once of one thing, however many slices it befalls."""
        if sentence not in self._said:
            self._said.add(sentence)
            logger.warning(sentence)


def _reason(error: BaseException) -> str:
    """What the system said, without the file and the remedy that the edges add."""
    cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
    return (cause.strerror if isinstance(cause, OSError) else None) or str(cause)
