"""Synthetic images: learn what the slices of a set look like, and draw new ones.

    python examples/synthetic_images.py [SET]

Without arguments: the slices of the chest CT that pip installed. The model is small and learns for a minute
or two, which is enough for shapes and no more; `sammed synthesize train --help` says what the paper takes.
The pictures go into `example-output/synthetic/`.
"""

import sys
from collections.abc import Mapping
from pathlib import Path

from sammed import Silent
from sammed.datasets.labeled_sets.labeled_set import Case, LabeledSet
from sammed.datasets.labeled_sets.set_file import write_set
from sammed.jobs.demo_data import demo_pair
from sammed.jobs.synthesize.sample import SynthesizeSampleRequest, SynthesizeSampleResult, synthesize_sample
from sammed.jobs.synthesize.train import SynthesizeTrainRequest, synthesize_train

SMALL = {"image_size": "64", "width": "32", "steps": "400", "learning_rate": "5e-4"}


def main(
    place: Path | None = None,
    *,
    settings: Mapping[str, str] = SMALL,
    count: int = 4,
    output: Path = Path("example-output"),
) -> SynthesizeSampleResult:
    """Learn from the training cases of a set, and draw `count` pictures in 50 steps."""
    output.mkdir(parents=True, exist_ok=True)
    model = output / "diffusion.safetensors"
    training = SynthesizeTrainRequest(
        labeled_set=place or demo_set(output / "set"), output=model, settings=settings, overwrite=True
    )
    learned = synthesize_train(training, Silent())
    print(f"learned from {learned.pictures} pictures in {learned.steps} steps, loss {learned.loss:.3f}")
    drawing = SynthesizeSampleRequest(
        model=model, count=count, output=output / "synthetic", steps=50, overwrite=True
    )
    drawn = synthesize_sample(drawing, Silent())
    print(f"{len(drawn.files)} pictures in {drawn.output}")
    return drawn


def demo_set(folder: Path) -> Path:
    """A set of the chest CT alone, without its labels, which a diffusion model doesn't look at."""
    folder.mkdir(parents=True, exist_ok=True)
    case = Case("chest", demo_pair().image.absolute())
    return write_set(LabeledSet(folder, (), (case,)), overwrite=True)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
