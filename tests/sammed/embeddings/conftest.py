"""A fast backbone that counts the slices it encodes, which shows what the cache saves."""

import dataclasses
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from sammed.backbones.backbone import Backbone
from sammed.embeddings.cache import EmbeddingCache
from sammed.embeddings.cache_config import CacheConfig
from sammed.embeddings.scan import Scan
from sammed_volumes.intensity import Window
from sammed_volumes.slices import plan_slices
from sammed_volumes.volume import Volume


class CountingEncoder:
    """Encodes the mean brightness of each cell, scaled per channel; `count` is the slices so far."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, pixels: Tensor) -> Tensor:
        self.count += len(pixels)
        cells = F.avg_pool2d(pixels.mean(1, keepdim=True), 4)  # B 1 16 16
        return cells * torch.linspace(0.5, 2, 256)[:, None, None]


@pytest.fixture
def encoder() -> CountingEncoder:
    return CountingEncoder()


@pytest.fixture
def backbone(tiny_backbone: Backbone, encoder: CountingEncoder) -> Backbone:
    return dataclasses.replace(tiny_backbone, image_encoder=encoder)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The cache's folder, which does not exist yet."""
    return tmp_path / "cache" / "embeddings"


@pytest.fixture
def open_cache(folder: Path) -> Callable[..., EmbeddingCache]:
    """`open_cache(limit_bytes=...)`: the test's cache, as another process would open it."""
    return lambda **settings: EmbeddingCache(CacheConfig(folder, **settings))


@pytest.fixture
def scan_of(backbone: Backbone) -> Callable[..., Scan]:
    """`scan_of(volume, low, high, backbone=..., cache=..., progress=...)`: a scan through a window."""

    def make(volume: Volume, low: float = -200.0, high: float = 300.0, **settings: Any) -> Scan:
        slicing = plan_slices(volume.shape, volume.affine_ras_mm)
        settings = {"backbone": backbone, **settings}
        return Scan(volume, slicing, Window(low, high, "value"), **settings)

    return make


@pytest.fixture
def run_python(tmp_path: Path) -> Callable[[str], str]:
    """Run code in a new Python with the same `sys.path` and return its output."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}

    def run(code: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
