"""How cost grows with slices, labels, volumes and workers: `python -m bench.speed.scale`. See docs/scale.md.

Figures are ratios of two sides that are measured in turns, so that a busy machine slows both. Volumes are
phantoms: what a slice costs does not depend on what it shows. The cache of embeddings is off.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator
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
Row = tuple[str, Callable[[], tuple[Work, Work]]]


@dataclass(frozen=True, slots=True)
class Plan:
    """The base size, and how much larger than it the other sizes are."""

    work: Path
    base: Size
    volumes: int
    times: int
    workers: int

    def rows(self) -> Iterator[Row]:
        """Yield each row of the table: its name, and what prepares its two sides."""
        base, times = self.base, self.times
        folder = replace(base, volumes=self.volumes)
        longer, labeled = replace(base, slices=base.slices * times), replace(base, labels=3)
        yield f"slices: {times} x the slices", lambda: (self._labeling(longer), self._labeling(base))
        yield "labels: 3 in place of 1", lambda: (self._labeling(labeled), self._labeling(base))
        yield (
            f"volumes: {self.volumes} in place of 1",
            lambda: (self._labeling(folder), self._labeling(base)),
        )
        yield (
            f"workers: {self.workers}, over one process",
            lambda: (self._labeling(folder, self.workers), self._labeling(folder)),
        )
        yield (
            "nothing changed, over labeling",
            lambda: (self._nothing_changed(folder), self._labeling(folder)),
        )

    def _labeling(self, size: Size, workers: int | None = None) -> Work:
        """Label such a folder, process and model included, into an empty folder of outputs."""
        request = self._request(size, f"{size.name}-{workers}", workers)

        def run() -> None:
            shutil.rmtree(request.output or "", ignore_errors=True)
            _label(request)

        return run

    def _nothing_changed(self, size: Size) -> Work:
        request = self._request(size, "unchanged", None)
        return lambda: _label(request)

    def _request(self, size: Size, name: str, workers: int | None) -> AutoLabelRequest:
        folder = self.work / size.name
        make_folder(folder, size)
        return AutoLabelRequest(
            inputs=(folder / "scans",),
            skill=folder / "skill.safetensors",
            output=self.work / "labels" / name,
            encoding=NO_CACHE,
            workers=workers,
        )


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
    rows = []
    with tempfile.TemporaryDirectory() as work:
        plan = Plan(Path(work), Size(slices, 1, 1, pixels), volumes, times, workers)
        for name, prepare in plan.rows():
            if not only or any(word in name for word in only):
                rows.append((name, _ratio(*prepare(), repeats)))
                click.echo(" | ".join(rows[-1]))
                lines = [measured, "", *table(("what", "over the base"), rows)]
                write_page(output / "scale.md", "How cost grows", "python -m bench.speed.scale", lines)


def _ratio(larger: Work, smaller: Work, repeats: int) -> str:
    larger()  # the first run of each side warms up
    smaller()
    return compare(larger, smaller, repeats).text


def _label(request: AutoLabelRequest) -> None:
    result = auto_label(request, Silent())
    assert not result.count("failed"), [item.error for item in result.items]


if __name__ == "__main__":
    main()
