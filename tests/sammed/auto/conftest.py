"""Scans made of stacks, and a SAM whose answers are known: it marks what is as bright as the prompt.

`tiny_backbone` is Meta's own code with random weights, so its masks mean nothing. `brightness_backbone` keeps
the interface and the tensors' shapes, but its masks follow from the prompts by one rule.
"""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sammed.annotations.annotations import Annotations
from sammed.backbones.backbone import Backbone
from sammed.backbones.registry import PixelPreparation
from sammed.embeddings.scan import Scan, open_scan
from sammed_volumes.intensity import Window
from sammed_volumes.labels import Label, default_label
from sammed_volumes.volume import Volume

SIZE = 64  # pixels of the SAM frame, and cells of the mask grid
CELLS = 16  # of the embedding grid
LIKENESS = 0.15  # what differs less in brightness (0..1) is the same object


class BrightnessEncoder(nn.Module):
    """The image itself as an embedding: 16 of the 256 channels hold the 4 x 4 pixels of a cell."""

    def forward(self, pixels: Tensor) -> Tensor:
        cells = F.pixel_unshuffle(pixels[:, :1], SIZE // CELLS)  # B 16 16 16
        return F.pad(cells, (0, 0, 0, 0, 0, 240))


class WrittenPrompt(nn.Module):
    """Prompts as plain numbers: a token (x, y, 1) for a foreground point or a box's center; the mask."""

    def get_dense_pe(self) -> Tensor:
        return torch.zeros(1, 256, CELLS, CELLS)

    def forward(
        self, points: tuple[Tensor, Tensor] | None, boxes: Tensor | None, masks: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        tokens = []
        if points is not None:
            tokens.append(torch.cat([points[0], (points[1] == 1)[..., None].float()], dim=-1))
        if boxes is not None:
            centers = (boxes[:, :2] + boxes[:, 2:]) / 2
            tokens.append(torch.cat([centers, torch.ones(len(boxes), 1)], dim=-1)[:, None])
        batch = next(len(each) for each in (boxes, points and points[0], masks) if each is not None)
        dense = torch.zeros(batch, 256, CELLS, CELLS)
        if masks is not None:
            dense[:, 16:32] = F.pixel_unshuffle((masks > 0).float(), SIZE // CELLS)
        sparse = torch.cat(tokens, dim=1) if tokens else torch.zeros(batch, 0, 3)
        return F.pad(sparse, (0, 253)), dense


class BrightnessDecoder(nn.Module):
    """Above 0 where a pixel is as bright as the mean of what the prompt points at."""

    def forward(
        self,
        image_embeddings: Tensor,
        image_pe: Tensor,
        sparse_prompt_embeddings: Tensor,
        dense_prompt_embeddings: Tensor,
        multimask_output: bool,
    ) -> tuple[Tensor, Tensor]:
        image = F.pixel_shuffle(dense_prompt_embeddings[:, :16], SIZE // CELLS)[:, 0]  # B 64 64
        weight = F.pixel_shuffle(dense_prompt_embeddings[:, 16:32], SIZE // CELLS)[:, 0]
        for row, tokens in enumerate(sparse_prompt_embeddings):
            x, y = tokens[:, :2].round().long().clamp(0, SIZE - 1).T
            weight[row].index_put_((y, x), tokens[:, 2], accumulate=True)
        brightness = (image * weight).sum((1, 2)) / weight.sum((1, 2))
        logits = (LIKENESS - (image - brightness[:, None, None]).abs()) * 40
        return logits[:, None], torch.ones(len(logits), 1)


@pytest.fixture(scope="session")
def brightness_backbone() -> Backbone:
    return brightness_sam(BrightnessDecoder())


def brightness_sam(decoder: BrightnessDecoder) -> Backbone:
    """A SAM without weights whose masks are what is as bright as the prompt."""
    return Backbone(
        name="brightness",
        digest="brightness",
        image_size=SIZE,
        device=torch.device("cpu"),
        dtype=torch.float32,
        image_encoder=BrightnessEncoder(),
        mask_decoder=decoder,
        prompt_encoder=WrittenPrompt(),
        preparation=PixelPreparation(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)),
    )


@pytest.fixture
def encode() -> Callable[..., Scan]:
    """`encode(stack, backbone, spacing_mm=(slice, row, column))`: a stack S H W of values 0..1 as a scan."""

    def make(
        stack: np.ndarray, backbone: Backbone, spacing_mm: tuple[float, float, float] = (5.0, 2.0, 2.0)
    ) -> Scan:
        voxels = stack.transpose(2, 1, 0).astype(np.float32)  # X Y Z, toward left, posterior, superior
        affine = np.diag([-spacing_mm[2], -spacing_mm[1], spacing_mm[0], 1.0])
        volume = Volume(voxels, affine)
        scan = open_scan(volume, backbone, window=Window(0.0, 1.0, "value"), axis=2)
        np.testing.assert_allclose(scan.slicing.to_stack(voxels), stack, rtol=1e-6)
        return scan

    return make


@pytest.fixture
def annotate() -> Callable[..., Annotations]:
    """`annotate(truth S H W, indices)`: those slices of a labeled stack as annotations."""

    def make(
        truth: np.ndarray, indices: tuple[int, ...], labels: tuple[Label, ...] | None = None
    ) -> Annotations:
        values = [int(value) for value in np.unique(truth) if value]
        named = labels or tuple(default_label(value) for value in values)
        return Annotations(indices, truth[list(indices)].astype(np.uint8), named)

    return make


def make_discs(slices: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """A bright disc on each slice but the first and the last, far smaller than SAP-Net's cells can draw."""
    rows, columns = np.ogrid[:64, :64]
    truth = np.zeros((slices, 64, 64), dtype=np.uint8)
    for index in range(1, slices - 1):
        truth[index][np.hypot(rows - 25 - index, columns - 30) < 7] = 2
    noise = np.random.default_rng(0).normal(0, 0.01, truth.shape)
    return np.clip(np.where(truth, 0.8, 0.2) + noise, 0, 1), truth


@pytest.fixture
def discs() -> tuple[np.ndarray, np.ndarray]:
    """Images and labels S H W of eight slices, six of them with a disc."""
    return make_discs()
