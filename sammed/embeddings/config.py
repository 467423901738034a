"""How slices are encoded: the backbone, where and how it computes, and whether embeddings are cached.

Does not import torch, so that a request can be checked before anything slow is imported.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sammed.backbones.registry import DEFAULT_BACKBONE, backbone_spec

if TYPE_CHECKING:
    from sammed.backbones.backbone import Backbone
    from sammed.embeddings.cache import EmbeddingCache


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodingConfig:
    """The settings of everything that encodes slices; ConfigError for a backbone that does not exist.

    `checkpoint` is a file of weights that replaces the backbone's own. `device` is auto, cpu, cuda, cuda:N or
    mps, `runtime` auto, torch or openvino, `precision` auto, float32 or bfloat16. With `cache`, embeddings
    are read from the user's cache and kept in it.
    """

    backbone: str = DEFAULT_BACKBONE
    checkpoint: Path | None = None
    device: str = "auto"
    runtime: str = "auto"
    precision: str = "auto"
    cache: bool = True

    def __post_init__(self) -> None:
        backbone_spec(self.backbone)

    def load_backbone(self, name: str | None = None) -> Backbone:
        """Load the backbone, or the one called `name`, with these settings; see `load_backbone`."""
        from sammed.backbones.loading import load_backbone

        return load_backbone(
            name or self.backbone,
            checkpoint=self.checkpoint,
            device=self.device,
            precision=self.precision,
            runtime=self.runtime,
        )

    def open_cache(self) -> EmbeddingCache | None:
        """Open the user's cache of embeddings; None if `cache` is False."""
        from sammed.embeddings.cache import EmbeddingCache
        from sammed.embeddings.cache_config import configured

        return EmbeddingCache(configured()) if self.cache else None
