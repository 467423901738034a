"""The user's folders: weights that were fetched, and what sammed may throw away and make again."""

import os
from pathlib import Path

import platformdirs

WEIGHTS_VARIABLE = "SAMMED_WEIGHTS"
CACHE_VARIABLE = "SAMMED_CACHE"


def weights_folder() -> Path:
    """The user's folder for weights, where `fetch` puts them; it need not exist."""
    return Path(platformdirs.user_data_dir("sammed", appauthor=False)) / "weights"


def cache_folder() -> Path:
    """The user's folder for what can be made again, SAMMED_CACHE before the system's; it need not exist."""
    said = os.environ.get(CACHE_VARIABLE)
    return Path(said).expanduser() if said else Path(platformdirs.user_cache_dir("sammed", appauthor=False))


def converted_folder() -> Path:
    """Where encoders that were converted for OpenVINO are kept, a folder each; it need not exist."""
    return cache_folder() / "openvino"


def is_converted(folder: Path) -> bool:
    """Whether a folder's name is one that `converted.cache_key` gives, or that of one half made."""
    return "-sammed-" in folder.name and "-openvino-" in folder.name
