"""Jobs run on the phantom with the tiny backbone."""

from dataclasses import replace
from pathlib import Path

import pytest
from torch import Tensor

from sammed.backbones.backbone import Backbone, ImageEncoder
from sammed.batch.result import LabelingItem
from sammed.storage.provenance import Provenance, read_provenance


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


def written(item: LabelingItem) -> Path:
    """The label volume of an image that was labeled."""
    assert item.output is not None
    return item.output


def reason(item: LabelingItem) -> str:
    """Why an image was skipped, or failed."""
    assert item.error is not None
    return item.error


def provenance_of(label: Path) -> Provenance:
    found = read_provenance(label)
    assert found is not None
    return found
