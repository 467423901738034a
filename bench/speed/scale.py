"""How cost grows with slices, labels, volumes and workers: `python -m bench.speed.scale`. See docs/scale.md.

Figures are ratios of two sides that are measured in turns, so that a busy machine slows both. Volumes are
phantoms: what a slice costs does not depend on what it shows. The cache of embeddings is off.
"""

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import click

from bench.page import table, write_page
from bench.speed.phantoms import Size, make_folder
from bench.speed.timing import Work, compare
from sammed.embeddings.config import EncodingConfig
from sammed.jobs.auto_label import AutoLabelRequest, auto_label
from sammed.progress import Silent

NO_CACHE = EncodingConfig(cache=False)


@dataclass(frozen=True, slots=True)
class Side:
    """What is labeled, and by how many workers; `fresh` removes the labels of the run before."""

    size: Size
    workers: int | None = None
    fresh: bool = True

    @property
    def name(self) -> str:
        """A name for the folder of its labels."""
        return f"{self.size.name}-{self.workers}" if self.fresh else "unchanged"


def rows(base: Size, volumes: int, times: int, workers: int) -> Iterator[tuple[str, Side, Side]]:
    """Yield the rows of the table: a name and the two sides."""
    folder = replace(base, volumes=volumes)
    longer = replace(base, slices=base.slices * times)
    yield f"slices: {times} x the slices", Side(longer), Side(base)
    yield "labels: 3 in place of 1", Side(replace(base, labels=3)), Side(base)
    yield f"volumes: {volumes} in place of 1", Side(folder), Side(base)
    yield f"workers: {workers}, over one process", Side(folder, workers), Side(folder)
    yield "nothing changed, over labeling", Side(folder, fresh=False), Side(folder)


def prepare(work: Path, side: Side) -> Work:
    """Make the phantoms and the skill of a side; return what labels them, the model's loading included."""
    folder, output = work / side.size.name, work / "labels" / side.name
    make_folder(folder, side.size)
    request = AutoLabelRequest(
        inputs=(folder / "scans",),
        skill=folder / "skill.safetensors",
        output=output,
        encoding=NO_CACHE,
        workers=side.workers,
    )

    def run() -> None:
        if side.fresh:
            shutil.rmtree(output, ignore_errors=True)
        result = auto_label(request, Silent())
        assert not result.count("failed"), [item.error for item in result.items]

    return run


@click.command()
@click.option("--slices", default=10, show_default=True)
@click.option("--volumes", default=4, show_default=True)
@click.option("--pixels", default=256, show_default=True)
@click.option("--times", default=4, show_default=True, help="How much larger the larger cases are.")
@click.option("--workers", default=2, show_default=True)
@click.option("--repeats", default=3, show_default=True)
@click.option("--only", multiple=True, help="Words of the rows to measure.")
@click.option("--output", type=click.Path(path_type=Path), default=Path("docs/results"), show_default=True)
def main(
    slices: int,
    volumes: int,
    pixels: int,
    times: int,
    workers: int,
    repeats: int,
    only: tuple[str, ...],
    output: Path,
) -> None:
    """Measure, and write the table of scale.md."""
    options = f"--slices {slices} --volumes {volumes} --times {times} --repeats {repeats}"
    measured = f"Measured with `{options}`, on slices of {pixels} x {pixels} pixels."
    cells = []
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        for name, larger, smaller in rows(Size(slices, 1, 1, pixels), volumes, times, workers):
            if not only or any(word in name for word in only):
                cells.append((name, _ratio(prepare(work, larger), prepare(work, smaller), repeats)))
                click.echo(" | ".join(cells[-1]))
                lines = [measured, "", *table(("what", "over the base"), cells)]
                write_page(output / "scale.md", "How cost grows", "python -m bench.speed.scale", lines)


def _ratio(larger: Work, smaller: Work, repeats: int) -> str:
    larger()  # the first run of each side warms up
    smaller()
    return compare(larger, smaller, repeats).text


if __name__ == "__main__":
    main()
