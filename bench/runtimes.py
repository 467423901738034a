"""Whether every runtime and precision makes the same labels: `python bench/runtimes.py`.

Learns the lungs of the chest CT from five slices with eager float32 torch and labels all slices with what
each runtime encodes. int8 is tried with NNCF where that is installed. Writes docs/results/runtimes.md.
"""

import importlib.util
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from chest import Chest, chest_ct
from sammed.jobs.inputs import demo_pair

from sammed.backbones.backbone import Backbone
from sammed.backbones.device import choose_device
from sammed.backbones.folders import openvino_folder
from sammed.backbones.loading import load_backbone
from sammed.backbones.openvino import OpenVinoEncoder, cache_key, compile_model, import_openvino
from sammed.backbones.runtime import has_bfloat16
from sammed.embeddings.scan import Scan
from sammed.metrics.evaluation import dice
from sammed.progress import Silent
from sammed.skills.inference import label_volume
from sammed.skills.model import SkillModel
from sammed.skills.training import LearningConfig, learn_skill
from sammed_volumes.formats import read_labels

HEADER = """# Runtimes and precisions

Written by `python bench/runtimes.py` on {device}. Both lungs of the chest CT of slicerio, all slices that
were not annotated. The skill was learned from five slices with eager float32 torch and is the same in all
rows, so that only the encoder differs. Asked: Dice with eager float32 above 0.99, and the Dice with the truth
within 0.005 of its. int8 is post-training quantization by NNCF, calibrated on every fourth slice of this
volume: it would be kept where it stays within 0.005.

| runtime | precision | Dice with eager float32 | Dice with the truth (right / left) | time over eager | |
|---|---|---|---|---|---|"""


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """What one runtime made, and how long a slice took."""

    runtime: str
    precision: str
    voxels: np.ndarray
    seconds: float


@click.command()
@click.option(
    "--output", type=click.Path(path_type=Path), default=Path("docs/results/runtimes.md"), show_default=True
)
def main(output: Path) -> None:
    """Measure and write the table."""
    device = choose_device("auto")
    chest = chest_ct()
    eager = load_backbone(device=str(device), runtime="torch")
    skill = learn_skill(
        Scan(chest.scan, eager), chest.annotations, chest.window, LearningConfig(), 0, Silent()
    )
    reference = _label("torch", "float32", eager, chest, skill)
    lines = [HEADER.format(device=device.type), _row(reference, reference, chest)]
    for runtime, precision, backbone in _others(device, chest, eager):
        lines.append(_row(_label(runtime, precision, backbone, chest, skill), reference, chest))
    click.echo("\n".join(lines))
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _others(device: torch.device, chest: Chest, eager: Backbone) -> Iterator[tuple[str, str, Backbone]]:
    """What else this machine can encode with; all take the eager backbone's name, so that the skill fits."""
    for runtime in ("torch", "openvino"):
        if (runtime == "openvino") == (device.type == "cpu"):
            for precision in ("float32", "bfloat16"):
                if precision == "float32" or has_bfloat16(device, runtime):
                    yield (
                        runtime,
                        precision,
                        load_backbone(device=str(device), runtime=runtime, precision=precision),
                    )
    if device.type == "cpu" and importlib.util.find_spec("nncf"):
        yield "openvino", "int8", replace(eager, image_encoder=_quantized(chest, eager))


def _quantized(chest: Chest, backbone: Backbone) -> OpenVinoEncoder:
    """The converted encoder in int8."""
    import nncf

    openvino: Any = import_openvino()
    model = openvino.Core().read_model(openvino_folder() / cache_key(backbone.digest) / "encoder.xml")
    frame = chest.scan.frame(backbone)
    pixels = [
        backbone.prepare(chest.scan.image(index), frame)[None].numpy() for index in range(0, chest.count, 4)
    ]
    quantized = nncf.quantize(model, nncf.Dataset(pixels), model_type=nncf.ModelType.TRANSFORMER)
    return OpenVinoEncoder(compile_model(openvino, quantized, torch.float32))


def _label(runtime: str, precision: str, backbone: Backbone, chest: Chest, skill: SkillModel) -> Labels:
    Scan(chest.scan, backbone).embeddings([0])  # the first call pays for all others
    started = time.perf_counter()
    Scan(chest.scan, backbone).embeddings([4, 12, 20, 28])
    seconds = (time.perf_counter() - started) / 4
    voxels = label_volume(chest.volume, skill, backbone).labels.voxels
    return Labels(runtime, precision, voxels, seconds)


def _row(labels: Labels, reference: Labels, chest: Chest) -> str:
    truth = read_labels(demo_pair().labels)
    to_stack = chest.scan.slicing.to_stack
    others = np.setdiff1d(np.arange(chest.count), chest.annotations.indices)
    same, true, before = [], [], []
    for label in chest.annotations.labels:
        found, eager, wanted = (
            to_stack(voxels)[others] == label.value
            for voxels in (labels.voxels, reference.voxels, truth.voxels)
        )
        same.append(dice(found, eager))
        true.append(dice(found, wanted))
        before.append(dice(eager, wanted))
    moved = max(abs(now - then) for now, then in zip(true, before, strict=True))
    verdict = "reached" if min(same) > 0.99 and moved <= 0.005 else "missed"
    texts = (" / ".join(f"{score:.4f}" for score in scores) for scores in (same, true))
    ratio = f"{labels.seconds / reference.seconds:.2f}"
    return f"| {labels.runtime} | {labels.precision} | " + " | ".join((*texts, ratio, verdict)) + " |"


if __name__ == "__main__":
    main()
