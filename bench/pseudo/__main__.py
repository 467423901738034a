"""Pseudo-labels and students: `python bench/pseudo.py --data FOLDER --seeds 3`.

Rows are appended to pseudo.jsonl experiment by experiment, and pseudo.md and pseudo.json written anew from
all of them, so that a run can be stopped and taken up again. Embeddings are kept in the user's cache.
"""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import click
from pseudo_laboratory import Laboratory, Trial
from pseudo_rows import append_rows, is_measured
from pseudo_sets import Source, find_sets
from pseudo_tables import write_tables
from pseudo_trials import EXPERIMENTS, SETS


@click.command()
@click.option("--data", type=click.Path(path_type=Path, exists=True), required=True, help="Real images.")
@click.option("--seeds", default=3, show_default=True)
@click.option("--first", default=0, show_default=True, help="The first seed.")
@click.option("--only", type=click.Choice(list(EXPERIMENTS)), multiple=True, help="Only these experiments.")
@click.option("--set", "names", multiple=True, help="Only these sets.")
@click.option("--output", type=click.Path(path_type=Path), default=Path("docs/results"), show_default=True)
def main(
    data: Path, seeds: int, first: int, only: tuple[str, ...], names: tuple[str, ...], output: Path
) -> None:
    """Measure, and write pseudo.md and pseudo.json."""
    output.mkdir(parents=True, exist_ok=True)
    sources = find_sets(data)
    with tempfile.TemporaryDirectory() as work:
        laboratory = Laboratory(Path(work))
        for experiment, name, seed in _plan(only or tuple(EXPERIMENTS), names, sources, range(first, seeds)):
            if not is_measured(output, experiment, name, seed):
                measure(Trial(laboratory, name, sources[name], seed), experiment, output)
    write_tables(output)


def measure(trial: Trial, experiment: str, output: Path) -> None:
    """One experiment: its rows, and the tables with them."""
    started = time.perf_counter()
    rows = list(EXPERIMENTS[experiment](trial))
    seconds = time.perf_counter() - started
    append_rows(output, rows)
    for row in rows:
        number = f" {row.number}" if row.number else ""
        click.echo(f"{row.set:12} {row.seed} {row.way}{number}, {row.measure}: {row.value:.3f}  {row.detail}")
    click.echo(f"{experiment} on {trial.name}, seed {trial.seed}: {seconds:.0f} s")
    write_tables(output)


def _plan(
    only: tuple[str, ...], names: tuple[str, ...], sources: dict[str, Source], seeds: range
) -> Iterator[tuple[str, str, int]]:
    """What to measure: all experiments with one seed before the next."""
    for seed in seeds:
        for experiment in EXPERIMENTS:
            for name in SETS[experiment]:
                if experiment in only and name in sources and (not names or name in names):
                    yield experiment, name, seed


if __name__ == "__main__":
    main()
