"""Peak memory of labeling volumes of LiteMedSAM's sizes.

    memory_of_labeling.py LABELS HELD SLICES... [cached]

Prints resident MB before, and at the peak after each volume of so many slices, as JSON. At most HELD
embeddings are held in memory, so that a few slices show what many would take. The networks are replaced by
almost nothing, because they cost time and no memory that grows with the volume; everything else is the
product's own. This is not a test itself, because a peak is that of a whole process.
"""

import json
import resource
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sammed.annotations.annotations import Annotations
from sammed.auto.label_choice import LabelChoice
from sammed.auto.labeling import label_stack
from sammed.backbones.backbone import Backbone as RealBackbone
from sammed.backbones.frame import Frame
from sammed.backbones.openvino import import_openvino
from sammed.embeddings import scan
from sammed.embeddings.cache import EmbeddingCache
from sammed.embeddings.cache_config import CacheConfig
from sammed.embeddings.scan import open_scan
from sammed.embeddings.scratch import Scratch
from sammed.skills.inference import with_annotations
from sammed.skills.model import SkillModel
from sammed_volumes.intensity import Window
from sammed_volumes.labels import default_label
from sammed_volumes.volume import Volume

SIDE = 512


class Backbone(SimpleNamespace):
    """LiteMedSAM's shapes: 256 pixels, embeddings 256 x 64 x 64, masks of 256 x 256."""

    digest, dtype, device = "of weights", torch.float32, torch.device("cpu")
    embedding_size, image_size = 64, 256

    def frame(self, height: int, width: int, spacing_mm: tuple[float, float]) -> Frame:
        return Frame(height, width, spacing_mm, 256, 256)

    def prepare(self, image: np.ndarray, frame: Frame) -> Tensor:
        return frame.image_to_sam(image)

    def encode(self, pixels: Tensor) -> Tensor:
        return F.avg_pool2d(pixels[:, :1], 4).expand(-1, 256, -1, -1)

    def decode(self, embeddings: Tensor, _sparse: Tensor, _dense: Tensor, **_settings: bool) -> tuple[Tensor]:
        masks = F.interpolate(embeddings[:, :1], scale_factor=4) * 20 - 10
        return (masks,)


class Bright:
    """A generator and prompt encoder that find what is bright, in every slice."""

    def __init__(self, labels: int) -> None:
        self.labels = labels

    def coarse(self, embeddings: Tensor) -> Tensor:
        return (embeddings[:, :1] * 20 - 10).expand(-1, self.labels, -1, -1)

    def __call__(self, **_prompts: object) -> tuple[Tensor, Tensor]:
        return torch.zeros(1), torch.zeros(1)


def peak_mb() -> float:
    status = Path("/proc/self/status")
    if status.exists():  # on Linux getrusage begins with the peak of the process that started this one
        return int(status.read_text().split("VmHWM:")[1].split()[0]) / 1e3
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def volume_of(slices: int) -> Volume:
    """A bright ball of noise in every slice, int16."""
    rows, columns = np.ogrid[:SIDE, :SIDE]
    bright = np.hypot(rows - 200, columns - 250) < 120
    voxels = np.empty((SIDE, SIDE, slices), dtype=np.int16, order="F")
    rng = np.random.default_rng(0)
    for index in range(slices):
        voxels[:, :, index] = np.where(bright, 900, 50) + rng.integers(0, 50, (SIDE, SIDE))
    return Volume(voxels, np.diag([0.8, 0.8, 1.0, 1.0]))


def label(slices: int, labels: int, cached: bool) -> int:
    """Label a volume; how many slices came out with a label."""
    backbone, volume = Backbone(), volume_of(slices)
    cache = EmbeddingCache(CacheConfig(Path("cache"))) if cached else None
    scan = open_scan(volume, cast(RealBackbone, backbone), window=Window(0, 1000, "value"), cache=cache)
    scan.encode(range(slices))
    known = tuple(default_label(value) for value in range(1, labels + 1))
    choices = dict.fromkeys(range(1, labels + 1), LabelChoice(mask_from="mean", smoothing_mm=1.5))
    generator = Bright(labels)
    encoders = dict.fromkeys(choices, cast(nn.Module, generator))
    found = label_stack(scan, generator, encoders, choices, known)
    marked = np.zeros((1, SIDE, SIDE), dtype=np.uint8)
    marked[0, 200, 250] = 1
    annotations = Annotations((0,), marked, known[:1])
    skill = SimpleNamespace(volume_sha256=scan.digest, annotations=annotations, labels=known)
    labels_of_volume = with_annotations(scan, cast(SkillModel, skill), found)
    return sum(bool(plane.any()) for plane in np.moveaxis(labels_of_volume.voxels, 2, 0))


def main(labels: int, numbers: list[int], cached: bool) -> None:
    import_openvino()
    peaks = [peak_mb()]
    for slices in numbers:
        assert label(slices, labels, cached) == slices
        peaks.append(peak_mb())
    print(json.dumps(peaks))


if __name__ == "__main__":
    words = [int(word) for word in sys.argv[1:] if word != "cached"]
    vars(scan).update(MOST_RECENT=words[1], Scratch=partial(Scratch, words[1]))
    main(words[0], words[2:], "cached" in sys.argv)
