"""The user's folders: for downloaded weights, and for the cache, whose files sammed can recreate."""

import os
from pathlib import Path

import platformdirs

WEIGHTS_VARIABLE = "SAMMED_WEIGHTS"
CACHE_VARIABLE = "SAMMED_CACHE"


def weights_folder() -> Path:
    """Return the user's folder for weights, into which `fetch` downloads; it need not exist."""
    return Path(platformdirs.user_data_dir("sammed", appauthor=False)) / "weights"


def cache_folder() -> Path:
    """Return the cache folder: SAMMED_CACHE if set, else the system's; it need not exist."""
    chosen = os.environ.get(CACHE_VARIABLE)
    if chosen:
        return Path(chosen).expanduser()
    return Path(platformdirs.user_cache_dir("sammed", appauthor=False))


def openvino_folder() -> Path:
    """Return the folder in the cache with the networks converted for OpenVINO; it need not exist."""
    return cache_folder() / "openvino"


def is_openvino_network(folder: Path) -> bool:
    """Whether a folder's name comes from `openvino.cache_key`, with or without the temporary suffix."""
    return "-sammed-" in folder.name and "-openvino-" in folder.name
