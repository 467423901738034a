"""Pseudo-labels and students: `python -m bench.pseudo --data FOLDER`.

Rows are appended to pseudo.csv experiment by experiment, and the tables of pseudo.md are written from all of
them. A run that was stopped goes on where it was; remove the file, or name another folder of results, to
measure again. Embeddings are kept in the user's cache.
"""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import click

from bench.pseudo.experiments import EXPERIMENTS, SETS
from bench.pseudo.laboratory import Laboratory
from bench.pseudo.rows import ROWS_NAME, is_measured
from bench.pseudo.sets import Source, find_sets
from bench.pseudo.tables import write_tables
from bench.pseudo.trial import Trial
from bench.rows import append_rows

Plan = Iterator[tuple[str, str, int]]


@click.command()
@click.option("--data", type=click.Path(path_type=Path, exists=True), help="Folder with real images.")
@click.option("--seeds", default=3, show_default=True)
@click.option("--first", default=0, show_default=True, help="The first seed.")
@click.option("--only", type=click.Choice(list(EXPERIMENTS)), multiple=True, help="Only these experiments.")
@click.option("--set", "names", multiple=True, help="Only these sets.")
@click.option("--output", type=click.Path(path_type=Path), default=Path("docs/results"), show_default=True)
@click.option("--page-only", is_flag=True, help="Measure nothing; write the page from the rows.")
def main(
    data: Path | None,
    seeds: int,
    first: int,
    only: tuple[str, ...],
    names: tuple[str, ...],
    output: Path,
    page_only: bool,
) -> None:
    """Measure, append to pseudo.csv, and write the tables of pseudo.md."""
    if not page_only:
        if data is None:
            raise click.UsageError("Give the folder with real images: --data FOLDER.")
        sources = find_sets(data)
        with tempfile.TemporaryDirectory() as work:
            laboratory = Laboratory(Path(work))
            for experiment, name, seed in _plan(only, names, sources, range(first, seeds)):
                if not is_measured(output, experiment, name, seed):
                    _measure(Trial(laboratory, name, sources[name], seed), experiment, output)
    write_tables(output)


def _measure(trial: Trial, experiment: str, output: Path) -> None:
    """Run one experiment; append its rows together, so that a stop leaves no part."""
    started = time.perf_counter()
    rows = list(EXPERIMENTS[experiment](trial))
    seconds = time.perf_counter() - started
    append_rows(output / ROWS_NAME, rows)
    for row in rows:
        number = f" {row.number}" if row.number else ""
        click.echo(f"{row.set:12} {row.seed} {row.way}{number}, {row.measure}: {row.value:.3f}  {row.detail}")
    click.echo(f"{experiment} on {trial.name}, seed {trial.seed}: {seconds:.0f} s")
    write_tables(output)


def _plan(only: tuple[str, ...], names: tuple[str, ...], sources: dict[str, Source], seeds: range) -> Plan:
    """What to measure: all experiments with one seed before the next."""
    for seed in seeds:
        for experiment in EXPERIMENTS:
            for name in SETS[experiment]:
                if experiment in (only or EXPERIMENTS) and name in sources and name in (names or sources):
                    yield experiment, name, seed


if __name__ == "__main__":
    main()
