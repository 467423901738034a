"""A weak label by hand: the decoder fills its box, so that agreement is known."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from sammed.backbones.backbone import Backbone
from sammed.datasets.pseudo.coarse import weak_label as module
from sammed.datasets.pseudo.coarse.config import CoarseConfig
from sammed.datasets.pseudo.coarse.weak_label import WeakLabel, weak_label
from sammed.embeddings.scan import Scan, open_scan
from sammed.metrics.evaluation import dice
from sammed.prompts.prompt import Prompt
from sammed_volumes.intensity import Window
from sammed_volumes.volume import Volume

SHAPE = (40, 48)


@pytest.fixture
def scan(tiny_backbone: Backbone, monkeypatch: pytest.MonkeyPatch) -> Scan:
    """One slice of 40 x 48 pixels, and a decoder whose mask is the box that prompts it."""

    def fill(scan: Scan, index: int, prompts: Sequence[Prompt]) -> np.ndarray:
        logits = np.full(SHAPE, -2.0, dtype=np.float32)
        for prompt in prompts:
            assert prompt.box_xyxy_slice is not None
            left, top, right, bottom = prompt.box_xyxy_slice.astype(int)
            logits[top : bottom + 1, left : right + 1] = 2.0
        return logits

    monkeypatch.setattr(module, "prompted_logits", fill)
    voxels = np.random.default_rng(0).random((SHAPE[1], SHAPE[0], 1), dtype=np.float32)
    volume = Volume(voxels, np.diag([-1.0, -1.0, 1.0, 1.0]))
    return open_scan(volume, tiny_backbone, window=Window(0.0, 1.0, "value"), axis=2)


def block(top: int, bottom: int, left: int, right: int) -> np.ndarray:
    mask = np.zeros(SHAPE, dtype=bool)
    mask[top:bottom, left:right] = True
    return mask


def made(scan: Scan, *masks: np.ndarray, **settings: Any) -> WeakLabel:
    maps = {value: np.where(mask, 0.9, 0.02) for value, mask in enumerate(masks, start=1)}
    return weak_label(scan, 0, maps, CoarseConfig(**settings))


def test_a_slice_is_dropped_where_masks_agree_too_little(scan: Scan) -> None:
    corner = block(5, 25, 10, 14) | block(21, 25, 10, 30)  # an L, whose box is mostly something else
    sure = block(30, 38, 35, 46)
    kept = made(scan, corner, sure)
    assert not kept.ignore.any()
    agreement = dice(corner, block(5, 25, 10, 30))
    assert kept.agreement == pytest.approx({1: agreement, 2: 1.0})
    same = made(scan, corner, sure, least_agreement=agreement - 0.01)
    assert np.array_equal(same.values, kept.values)
    found = made(scan, corner, sure, least_agreement=agreement + 0.01)
    assert found.ignore.all(), "what neither mask shows would pass for background"
    assert not found.values.any()
    assert found.dropped == {1: "contradictory", 2: "contradictory"}
