"""Speed as ratios measured in one run: `python bench/speed.py`. Times on a shared machine mean little.

How long learning one label from two slices of the chest CT takes, over encoding those two slices in eager
float32 torch; and one slice in OpenVINO over one in eager torch.
"""

import time
from collections.abc import Callable

import click
import numpy as np

from sammed.auto.annotations import Annotations
from sammed.backbones.loading import load_backbone
from sammed.embeddings.scan import EncodedScan, Scan, open_scan
from sammed.jobs.inputs import demo_pair
from sammed.jobs.training import annotate
from sammed.learning import LearningConfig, learn_skill
from sammed.progress import Silent
from sammed_volumes.formats import read_labels, read_volume
from sammed_volumes.intensity import Window, auto_window
from sammed_volumes.slices import plan_slices


@click.command()
@click.option("--repeats", default=3, show_default=True)
def main(repeats: int) -> None:
    """Print the ratios, with the spread of the repeats."""
    scan, annotations, window = _task()
    eager, openvino = load_backbone(runtime="torch"), load_backbone(runtime="openvino")
    slices = list(annotations.indices)[:2]
    EncodedScan(scan, eager).embeddings(slices)  # once for nothing: the first call pays for all others
    EncodedScan(scan, openvino).embeddings(slices)
    ratios: dict[str, list[float]] = {"learning assist": [], "learning assist and auto": [], "OpenVINO": []}
    for seed in range(repeats):
        base = _seconds(lambda: EncodedScan(scan, eager).embeddings(slices))
        encoded = EncodedScan(scan, openvino)
        ratios["OpenVINO"].append(_seconds(lambda: EncodedScan(scan, openvino).embeddings(slices)) / base)
        encoded.embeddings(annotations.indices)
        for name, auto in (("learning assist", False), ("learning assist and auto", True)):
            learn = _learn(encoded, annotations, window, seed, auto)
            ratios[name].append(_seconds(learn) / base)
    for name, values in ratios.items():
        click.echo(
            f"{name:26} {np.mean(values):6.2f} ± {np.std(values):.2f} times encoding two slices, eager"
        )


def _task() -> tuple[Scan, Annotations, Window]:
    """The right lung of the demo's CT with two annotated slices."""
    pair = demo_pair()
    volume, labels = read_volume(pair.image), read_labels(pair.labels)
    slicing = plan_slices(volume.shape, volume.affine_ras_mm)
    drawn = annotate(slicing, labels, labels.select(["right lung"]), slices=2, draw="even")
    annotations = Annotations(
        tuple(drawn.indices[row] for row in drawn.foreground),
        drawn.masks[list(drawn.foreground)],
        drawn.labels,
    )
    region = np.zeros(slicing.stack_shape, dtype=bool)
    region[list(annotations.indices)] = annotations.masks > 0
    window = auto_window(volume, slicing, region)
    return open_scan(volume, slicing, window), annotations, window


def _learn(
    encoded: EncodedScan, annotations: Annotations, window: Window, seed: int, auto: bool
) -> Callable[[], object]:
    return lambda: learn_skill(encoded, annotations, window, LearningConfig(), seed, Silent(), auto=auto)


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
