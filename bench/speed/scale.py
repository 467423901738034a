"""How cost grows with slices, labels, volumes and workers: `python bench/scale.py`. See docs/scale.md.

All figures are ratios within one run, taken in turns and repeated, so that a busy machine disturbs all alike.
Volumes are phantoms: what a slice costs does not depend on what it shows. The cache of embeddings is off but
where it is what is measured.
"""

import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import click
import nibabel
import numpy as np
from sammed.jobs.labeling import label
from sammed.jobs.requests import LabelingRequest, TrainingRequest
from sammed.jobs.training import train

from sammed.progress import Silent
from sammed_volumes.formats import read_volume, write_labels
from sammed_volumes.labels import Label, LabelVolume

AFFINE = np.diag([1.0, 1.0, 5.0, 1.0])
HEADER = """# How cost grows, measured

Written by `python bench/scale.py --slices {slices} --volumes {volumes} --times {times} --repeats {repeats}`.
Labeling phantoms of {slices} slices of {pixels} x {pixels} pixels and one label; starting processes, loading
the model and files are in it, the cache of embeddings is off. Mean ± standard deviation of the ratios, the
two sides in turns. [../scale.md](../scale.md) reckons with it.

| what | over the base |
|---|---|"""


@dataclass(frozen=True, slots=True)
class Size:
    """The base case; each table row makes one thing larger."""

    slices: int
    labels: int
    volumes: int
    pixels: int

    def name(self) -> str:
        """The folder of such a case."""
        return f"{self.volumes}x{self.slices}x{self.pixels}-{self.labels}"


@click.command()
@click.option("--slices", default=10, show_default=True)
@click.option("--volumes", default=4, show_default=True)
@click.option("--pixels", default=256, show_default=True)
@click.option("--times", default=4, show_default=True, help="How much larger the larger cases are.")
@click.option("--workers", default=2, show_default=True)
@click.option("--repeats", default=3, show_default=True)
@click.option(
    "--output", type=click.Path(path_type=Path), default=Path("docs/results/scale.md"), show_default=True
)
def main(
    slices: int, volumes: int, pixels: int, times: int, workers: int, repeats: int, output: Path
) -> None:
    """Print and write the ratios as rows of a table, with their spread."""
    base = Size(slices, 1, 1, pixels)
    folder = Size(slices, 1, volumes, pixels)
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        one = _labeling(work, base)
        rows = [
            (f"slices: {times} x the slices", _labeling(work, replace(base, slices=slices * times)), one),
            ("labels: 3 in place of 1", _labeling(work, replace(base, labels=3)), one),
            (f"volumes: {volumes} in place of 1", _labeling(work, folder), one),
            (
                f"workers: {workers}, over one process",
                _labeling(work, folder, workers=workers),
                _labeling(work, folder),
            ),
            ("nothing changed, over labeling", _again(work, folder), _labeling(work, folder)),
        ]
        lines = [HEADER.format(slices=slices, volumes=volumes, times=times, repeats=repeats, pixels=pixels)]
        for name, larger, smaller in rows:
            lines.append(f"| {name} | {_ratio(larger, smaller, repeats)} |")
            click.echo(lines[-1])
            output.parent.mkdir(parents=True, exist_ok=True)
            output.write_text("\n".join(lines) + "\n", encoding="utf-8")  # after each row: a run takes long


def _labeling(work: Path, size: Size, workers: int | None = None) -> Callable[[], float]:
    """Seconds of labeling such a folder anew, process and model included; one run before it for nothing."""
    scans, skill = _folder(work, size)
    output = work / "labels" / f"{size.name()}-{workers}"
    request = LabelingRequest(inputs=(scans,), skill=skill, output=output, cache=False, workers=workers)

    def run() -> float:
        shutil.rmtree(output, ignore_errors=True)
        return _seconds(request)

    return run


def _again(work: Path, size: Size) -> Callable[[], float]:
    """Seconds of the second of two runs between which nothing changed."""
    scans, skill = _folder(work, size)
    request = LabelingRequest(inputs=(scans,), skill=skill, output=work / "labels/again", cache=False)
    label(request, Silent())
    return lambda: _seconds(request)


def _seconds(request: LabelingRequest) -> float:
    started = time.perf_counter()
    result = label(request, Silent())
    assert not result.count("failed"), [item.error for item in result.items]
    return time.perf_counter() - started


def _ratio(larger: Callable[[], float], smaller: Callable[[], float], repeats: int) -> str:
    larger()
    smaller()
    ratios = [larger() / smaller() for _ in range(repeats)]
    return f"{np.mean(ratios):.2f} ± {np.std(ratios):.2f}"


def _folder(work: Path, size: Size) -> tuple[Path, Path]:
    """Phantoms of that size and a skill learned from the first, made once."""
    folder = work / size.name()
    skill = folder / "skill.safetensors"
    if skill.exists():
        return folder / "scans", skill
    (folder / "scans").mkdir(parents=True)
    for number in range(size.volumes):
        image, labels = _phantom(size, number)
        path = folder / "scans" / f"{number}.nii.gz"
        nibabel.save(nibabel.Nifti1Image(image, AFFINE), path)
        if number == 0:
            _teach(folder, path, labels, size)
    return folder / "scans", skill


def _teach(folder: Path, image: Path, labels: np.ndarray, size: Size) -> None:
    named = tuple(Label(k + 1, f"disc {k}", (220, 40, 60)) for k in range(size.labels))
    truth = folder / "truth.nii.gz"
    write_labels(LabelVolume(labels, AFFINE, named), truth, like=read_volume(image))
    request = TrainingRequest(
        image=image, labels=truth, slice_index=(0, size.slices - 1), output=folder / "skill.safetensors"
    )
    train(request, Silent())


def _phantom(size: Size, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """As many discs as labels, side by side, and the truth about them."""
    shape = (size.pixels, size.pixels, size.slices)
    x, y = np.meshgrid(np.arange(size.pixels), np.arange(size.pixels), indexing="ij")
    plane = np.zeros(shape[:2], np.uint8)
    for k in range(size.labels):
        center = size.pixels * (k + 0.5) / size.labels
        plane[(x - center) ** 2 + (y - size.pixels / 2) ** 2 < (size.pixels / 4 / size.labels) ** 2] = k + 1
    labels = np.repeat(plane[..., np.newaxis], size.slices, axis=2)
    noise = np.random.default_rng(seed).normal(0, 20, shape)
    return (labels * 200.0 - 100 + noise).astype(np.int16), labels


if __name__ == "__main__":
    main()
