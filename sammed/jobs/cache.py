"""`cache info|clear`: what the user's cache contains, and removing it. Does not import torch."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from sammed.backbones.folders import cache_folder, is_openvino_network, openvino_folder
from sammed.embeddings.cache_config import configured
from sammed.embeddings.cache_folder import cached_volumes, remove_cached, remove_layout
from sammed.progress import Reporter


@dataclass(frozen=True, slots=True)
class CacheInfoRequest:
    """Describe the user's cache."""


@dataclass(frozen=True, slots=True)
class CacheClearRequest:
    """Clear the user's cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheInfoResult:
    """The content of the cache: embeddings by volumes and slices, and networks converted for OpenVINO."""

    folder: Path
    limit_bytes: int
    volumes: int
    slices: int
    embedding_bytes: int
    converted: int
    converted_bytes: int

    def to_json(self) -> dict[str, object]:
        """Return the object that `sammed cache info --json` prints."""
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
class CacheClearResult:
    """What was removed from the cache, and what could not be removed."""

    folder: Path
    removed_bytes: int
    left_bytes: int

    def to_json(self) -> dict[str, object]:
        """Return the object that `sammed cache clear --json` prints."""
        return {**asdict(self), "folder": str(self.folder)}


def cache_info(request: CacheInfoRequest, reporter: Reporter) -> CacheInfoResult:
    """Describe the user's cache without changing it."""
    config = configured()
    found = cached_volumes(config.folder)
    converted = list(_converted())
    return CacheInfoResult(
        folder=cache_folder(),
        limit_bytes=config.limit_bytes,
        volumes=len(found),
        slices=sum(each.entries for each in found),
        embedding_bytes=sum(each.bytes for each in found),
        converted=len(converted),
        converted_bytes=sum(map(_folder_bytes, converted)),
    )


def cache_clear(request: CacheClearRequest, reporter: Reporter) -> CacheClearResult:
    """Remove all embeddings and converted networks, and nothing else in the cache folder."""
    before = cache_info(CacheInfoRequest(), reporter)
    folder = configured().folder
    for each in cached_volumes(folder):
        remove_cached(each.path)
    remove_layout(folder)
    for network in _converted():
        shutil.rmtree(network, ignore_errors=True)
    left = cache_info(CacheInfoRequest(), reporter)
    total = before.embedding_bytes + before.converted_bytes
    left_bytes = left.embedding_bytes + left.converted_bytes
    return CacheClearResult(folder=before.folder, removed_bytes=total - left_bytes, left_bytes=left_bytes)


def _converted() -> Iterator[Path]:
    """Yield the folders of converted networks, including unfinished ones."""
    folder = openvino_folder()
    if folder.is_dir():
        yield from (path for path in folder.iterdir() if path.is_dir() and is_openvino_network(path))


def _folder_bytes(folder: Path) -> int:
    total = 0
    for path in folder.iterdir():
        try:
            total += path.stat().st_size
        except FileNotFoundError:  # another process is changing it
            continue
    return total
