"""Where the cache of embeddings is and how much it may hold. Does not import torch."""

import math
import os
from dataclasses import dataclass
from pathlib import Path

from sammed.backbones.folders import cache_folder
from sammed.errors import ConfigError

LIMIT_VARIABLE = "SAMMED_CACHE_GB"
DEFAULT_LIMIT_GB = 20.0


@dataclass(frozen=True, slots=True)
class CacheConfig:
    """A folder, which need not exist, and the number of bytes that it may hold; 0 turns the cache off.

    Processes that write at once may exceed the limit by `sammed.embeddings.cache.RECOUNT_BYTES` each.
    """

    folder: Path
    limit_bytes: int = int(DEFAULT_LIMIT_GB * 1e9)

    def __post_init__(self) -> None:
        if self.limit_bytes < 0:
            raise ConfigError(f"A cache can't hold {self.limit_bytes} bytes; use 0 for no cache.")


def configured() -> CacheConfig:
    """Return the user's cache: SAMMED_CACHE or the system's folder, SAMMED_CACHE_GB or 20 GB."""
    text = os.environ.get(LIMIT_VARIABLE) or str(DEFAULT_LIMIT_GB)
    try:
        limit_gb = float(text)
    except ValueError:
        limit_gb = math.nan
    if not (math.isfinite(limit_gb) and limit_gb >= 0):
        raise ConfigError(f"{LIMIT_VARIABLE} is {text!r}; it must be a number of gigabytes, 0 or more.")
    return CacheConfig(cache_folder() / "embeddings", int(limit_gb * 1e9))
