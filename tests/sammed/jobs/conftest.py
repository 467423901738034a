"""Jobs run on the phantom with the tiny backbone."""

from dataclasses import replace

import pytest
from torch import Tensor

from sammed.backbones.backbone import Backbone, ImageEncoder


@pytest.fixture(autouse=True)
def tiny_machine(machine: None) -> None:
    """All jobs run on the machine of `tests/sammed/conftest.py`."""


class Counting:
    """An encoder that counts its slices."""

    def __init__(self, encoder: ImageEncoder) -> None:
        self.encoder = encoder
        self.count = 0

    def __call__(self, pixels: Tensor) -> Tensor:
        self.count += len(pixels)
        return self.encoder(pixels)


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch, tiny_backbone: Backbone) -> Counting:
    encoder = Counting(tiny_backbone.image_encoder)
    backbone = replace(tiny_backbone, image_encoder=encoder)
    monkeypatch.setattr("sammed.backbones.loading.load_backbone", lambda _name, **_settings: backbone)
    return encoder
