"""`cache`: what lies in the user's cache, and emptying it. No torch here."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sammed.backbones.folders import cache_folder, is_openvino_network, openvino_folder
from sammed.embeddings.cache_config import configured
from sammed.embeddings.cache_folder import remove_layout, remove_shelf, shelves


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheContent:
    """What lies in the cache: embeddings by volumes and slices, and networks converted for OpenVINO."""

    folder: Path
    limit_bytes: int
    volumes: int
    slices: int
    embedding_bytes: int
    converted: int
    converted_bytes: int

    def to_json(self) -> dict[str, object]:
        """The object that `sammed cache info --json` prints."""
        return {
            "folder": str(self.folder),
            "limit_bytes": self.limit_bytes,
            "embeddings": {
                "volumes": self.volumes,
                "slices": self.slices,
                "bytes": self.embedding_bytes,
            },
            "converted": {"networks": self.converted, "bytes": self.converted_bytes},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheCleared:
    """What emptying the cache took away, and what it couldn't."""

    folder: Path
    removed_bytes: int
    left_bytes: int

    def to_json(self) -> dict[str, object]:
        """The object that `sammed cache clear --json` prints."""
        return {
            "folder": str(self.folder),
            "removed_bytes": self.removed_bytes,
            "left_bytes": self.left_bytes,
        }


def cache_content() -> CacheContent:
    """Look at the user's cache; nothing is changed."""
    config = configured()
    found = shelves(config.folder)
    converted = list(_converted())
    return CacheContent(
        folder=cache_folder(),
        limit_bytes=config.limit_bytes,
        volumes=len(found),
        slices=sum(shelf.entries for shelf in found),
        embedding_bytes=sum(shelf.bytes for shelf in found),
        converted=len(converted),
        converted_bytes=sum(map(_folder_bytes, converted)),
    )


def clear_cache() -> CacheCleared:
    """Remove all embeddings and converted networks, and nothing else that lies in the cache's folder."""
    before = cache_content()
    folder = configured().folder
    for shelf in shelves(folder):
        remove_shelf(shelf.path)
    remove_layout(folder)
    for network in _converted():
        shutil.rmtree(network, ignore_errors=True)
    left = cache_content()
    total = before.embedding_bytes + before.converted_bytes
    left_bytes = left.embedding_bytes + left.converted_bytes
    return CacheCleared(folder=before.folder, removed_bytes=total - left_bytes, left_bytes=left_bytes)


def _converted() -> Iterator[Path]:
    """The folders of converted networks, those half made too."""
    folder = openvino_folder()
    if folder.is_dir():
        yield from (path for path in folder.iterdir() if path.is_dir() and is_openvino_network(path))


def _folder_bytes(folder: Path) -> int:
    total = 0
    for path in folder.iterdir():
        try:
            total += path.stat().st_size
        except FileNotFoundError:  # another process is at work in it
            continue
    return total
