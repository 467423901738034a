"""Labeled sets of discs, and a SAM that marks what is as bright as its prompt."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torch import nn

from sammed.backbones.backbone import Backbone
from sammed.datasets.labeled_sets.labeled_set import Case, LabeledSet
from sammed.datasets.pseudo.pseudo_label import PseudoLabel
from sammed_volumes.labels import Label
from tests.sammed.auto.conftest import BrightnessDecoder, brightness_sam

DISC = Label(1, "disc", (220, 60, 60))
SHAPE = (40, 48)


def disc(center: tuple[int, int], radius: int = 7) -> np.ndarray:
    """A disc H W in a picture of 40 x 48 pixels; `center` is (x, y)."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    inside: np.ndarray = (x - center[0]) ** 2 + (y - center[1]) ** 2 <= radius**2
    return inside


def voxels_of(found: PseudoLabel) -> np.ndarray:
    """The voxels X Y Z of a case that was labeled."""
    assert found.labels is not None, f"{found.case}: {found.reason}"
    return found.labels.voxels


def mask_of(found: PseudoLabel, index: int = 0) -> np.ndarray:
    """Where a slice has label 1, H W."""
    mask: np.ndarray = voxels_of(found)[:, :, index].T == 1
    return mask


class Decoder(BrightnessDecoder):
    """With the last layers that a SAM's decoder has; its masks don't come from them."""

    def __init__(self) -> None:
        super().__init__()
        self.output_upscaling = nn.Sequential(nn.ConvTranspose2d(1, 1, 2, 2), nn.Identity())


@pytest.fixture(scope="session")
def brightness_backbone() -> Backbone:
    return brightness_sam(Decoder())


class SetMaker:
    """Writes pictures and masks, and gathers them as a set."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cases: list[Case] = []

    def add(self, name: str, mask: np.ndarray, *, gold: bool, value: int = 1) -> None:
        """A picture in which `mask` is bright; with its mask as gold, or without."""
        noise = np.random.default_rng(len(self.cases)).normal(0, 5, mask.shape)
        self._write(f"{name}.png", np.clip(50 + 150 * mask + noise, 0, 255))
        if gold:
            self._write(f"{name}_mask.png", mask * value)
        labels = Path(f"{name}_mask.png") if gold else None
        self.cases.append(Case(name, Path(f"{name}.png"), labels, "gold" if gold else "none"))

    def made(self, labels: tuple[Label, ...] = (DISC,)) -> LabeledSet:
        """The set of all that was added."""
        return LabeledSet(self.folder, labels, tuple(self.cases))

    def _write(self, name: str, pixels: np.ndarray) -> None:
        Image.fromarray(pixels.astype(np.uint8)).save(self.folder / name)


@pytest.fixture
def set_maker(tmp_path: Path) -> SetMaker:
    return SetMaker(tmp_path)


@pytest.fixture
def disc_set(set_maker: SetMaker) -> LabeledSet:
    """Six gold pictures with a disc and six without; unlabeled: one with a disc, one without."""
    for index in range(6):
        set_maker.add(f"with{index}", disc((12 + 4 * index, 20)), gold=True)
        set_maker.add(f"without{index}", np.zeros(SHAPE, dtype=bool), gold=True)
    set_maker.add("unknown-with", disc((30, 15)), gold=False)
    set_maker.add("unknown-without", np.zeros(SHAPE, dtype=bool), gold=False)
    return set_maker.made()
