"""Whether every runtime and precision makes the same labels: `python -m bench.speed.runtimes`.

Learns the lungs of the chest CT from five slices with eager float32 torch, and labels all slices with what
each runtime encodes. Tries int8 where NNCF is installed.
"""

import importlib
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from jaxtyping import UInt

from bench.page import table, write_page
from bench.skills import learn_annotated
from bench.speed.chest import Chest, chest_ct
from bench.speed.timing import seconds_of
from sammed.backbones.backbone import Backbone
from sammed.backbones.device import choose_device
from sammed.backbones.folders import openvino_folder
from sammed.backbones.openvino import OpenVinoEncoder, cache_key, compile_model, import_openvino
from sammed.backbones.runtime import has_bfloat16
from sammed.embeddings.config import EncodingConfig
from sammed.metrics.evaluation import dice
from sammed.skills.model import SkillModel
from sammed.skills.skill import Skill

LEAST_DICE = 0.99  # with eager float32
MOST_CHANGE = 0.005  # of the Dice with the truth
HEADERS = (
    *("runtime", "precision", "Dice with eager float32"),
    *("Dice with the truth (right / left)", "time over eager", ""),
)


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """What one runtime made of the slices that were not annotated, and how long one slice took."""

    runtime: str
    precision: str
    stack: UInt[np.ndarray, "U H W"]
    seconds: float


@click.command()
@click.option("--output", type=click.Path(path_type=Path), default=Path("docs/results"), show_default=True)
def main(output: Path) -> None:
    """Measure, and write the table of runtimes.md."""
    device, chest = choose_device("auto"), chest_ct()
    eager = EncodingConfig(device=str(device), runtime="torch", precision="float32").load_backbone()
    skill = learn_annotated(chest.scan(eager), chest.annotations).model
    reference = _label("torch", "float32", eager, chest, skill)
    rows = [_row(reference, reference, chest)]
    for runtime, precision, backbone in _others(device, chest, eager):
        rows.append(_row(_label(runtime, precision, backbone, chest, skill), reference, chest))
    lines = [f"Measured on {device.type}.", "", *table(HEADERS, rows)]
    click.echo("\n".join(lines))
    write_page(output / "runtimes.md", "Runtimes and precisions", "python -m bench.speed.runtimes", lines)


def _others(device: torch.device, chest: Chest, eager: Backbone) -> Iterator[tuple[str, str, Backbone]]:
    """What else this machine can encode with."""
    runtime = "openvino" if device.type == "cpu" else "torch"
    for precision in ("float32", "bfloat16"):
        if precision == "float32" or has_bfloat16(device, runtime):
            encoding = EncodingConfig(device=str(device), runtime=runtime, precision=precision)
            yield runtime, precision, encoding.load_backbone()
    if device.type == "cpu" and importlib.util.find_spec("nncf"):
        yield "openvino", "int8", replace(eager, image_encoder=_quantized(chest, eager))


def _quantized(chest: Chest, backbone: Backbone) -> OpenVinoEncoder:
    """Return the OpenVINO encoder in int8, calibrated on every fourth slice."""
    nncf: Any = importlib.import_module("nncf")
    openvino: Any = import_openvino()
    model = openvino.Core().read_model(openvino_folder() / cache_key(backbone.digest) / "encoder.xml")
    scan = chest.scan(backbone)
    pixels = [
        backbone.prepare(scan.image(index), scan.frame)[None].numpy()
        for index in range(0, chest.slicing.count, 4)
    ]
    quantized = nncf.quantize(model, nncf.Dataset(pixels), model_type=nncf.ModelType.TRANSFORMER)
    return OpenVinoEncoder(compile_model(openvino, quantized, torch.float32))


def _label(runtime: str, precision: str, backbone: Backbone, chest: Chest, skill: SkillModel) -> Labels:
    chest.scan(backbone).embeddings([0])  # the first call prepares the runtime
    seconds = seconds_of(lambda: chest.scan(backbone).embeddings([4, 12, 20, 28])) / 4
    found = Skill(skill, backbone=backbone).label(chest.scan(backbone))
    return Labels(runtime, precision, found.stack[_others_than_annotated(chest)], seconds)


def _others_than_annotated(chest: Chest) -> list[int]:
    return [index for index in range(chest.slicing.count) if index not in chest.annotations.indices]


def _row(labels: Labels, reference: Labels, chest: Chest) -> tuple[str, ...]:
    truth = chest.slicing.to_stack(chest.truth.voxels)[_others_than_annotated(chest)]
    same, true, before = [], [], []
    for label in chest.annotations.labels:
        found, eager, wanted = (each == label.value for each in (labels.stack, reference.stack, truth))
        same.append(dice(found, eager))
        true.append(dice(found, wanted))
        before.append(dice(eager, wanted))
    changed = max(abs(now - then) for now, then in zip(true, before, strict=True))
    verdict = "reached" if min(same) > LEAST_DICE and changed <= MOST_CHANGE else "missed"
    texts = (" / ".join(f"{score:.4f}" for score in scores) for scores in (same, true))
    return labels.runtime, labels.precision, *texts, f"{labels.seconds / reference.seconds:.2f}", verdict


if __name__ == "__main__":
    main()
