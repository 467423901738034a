"""Accuracy on slices that nobody annotated: `python -m bench.accuracy --data FOLDER`.

Rows are appended to accuracy.csv as they are measured, and the tables of accuracy.md are written from all of
them. A run that was stopped goes on where it was; remove the file, or name another folder of results, to
measure again.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import click

from bench.accuracy.ablation import ablation
from bench.accuracy.assist import assist
from bench.accuracy.automatic import automatic
from bench.accuracy.cases import Case, find_cases
from bench.accuracy.interpolation import interpolation
from bench.accuracy.rows import ROWS_NAME, Row, latest_rows
from bench.accuracy.tables import write_tables
from bench.accuracy.trials import Laboratory, Trial
from bench.rows import append_rows
from sammed.annotations.slice_sampling import Draw
from sammed.embeddings.config import EncodingConfig

MEASURES: Mapping[str, Callable[[Trial], Iterator[Row]]] = {
    "automatic": automatic,
    "ablation": ablation,
    "assist": assist,
    "interpolation": interpolation,
}
ENCODING = EncodingConfig(precision="float32")


@click.command()
@click.option("--data", type=click.Path(path_type=Path, exists=True), help="Folder with real images.")
@click.option("--seeds", default=3, show_default=True)
@click.option("--measure", type=click.Choice(list(MEASURES)), multiple=True, default=("automatic",))
@click.option("--group", multiple=True, help="Only these groups of cases.")
@click.option("--label", multiple=True, help="Only these labels, and those learned together with them.")
@click.option("--most", default=99, show_default=True, help="Cases per group.")
@click.option("--slices", type=int, help="Annotated slices, in place of each case's own number.")
@click.option("--draw", type=click.Choice(["even", "paper"]), default="even", show_default=True)
@click.option("--output", type=click.Path(path_type=Path), default=Path("docs/results"), show_default=True)
@click.option("--page-only", is_flag=True, help="Measure nothing; write the page from the rows.")
def main(
    data: Path | None,
    seeds: int,
    measure: tuple[str, ...],
    group: tuple[str, ...],
    label: tuple[str, ...],
    most: int,
    slices: int | None,
    draw: Draw,
    output: Path,
    page_only: bool,
) -> None:
    """Measure, append to accuracy.csv, and write the tables of accuracy.md."""
    if not page_only:
        laboratory = Laboratory(ENCODING.load_backbone(), ENCODING.open_cache(), draw)
        for case in _chosen(find_cases(data), group, most):
            for values in _tasks(case, label):
                for seed in range(seeds):
                    _measure(laboratory.trial(case, values, seed, slices or case.slices), measure, output)
    write_tables(output)


def _measure(trial: Trial, measures: tuple[str, ...], output: Path) -> None:
    """Append the rows that are missing: all rows of a measure together, so that a stop leaves no part."""
    known = latest_rows(output)
    for name in measures:
        if not trial.is_measured(name, known):
            rows = list(MEASURES[name](trial))
            append_rows(output / ROWS_NAME, rows)
            for row in rows:
                case = f"{row.group} {row.folder}".strip()
                run = f"{row.label:16} seed {row.seed} {row.dice:.3f}"
                click.echo(f"{case:32} {run}  {row.way}  {row.detail}")
            write_tables(output)


def _chosen(cases: list[Case], groups: tuple[str, ...], most: int) -> list[Case]:
    by_group: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        if not groups or case.group in groups:
            by_group[case.group].append(case)
    return [case for found in by_group.values() for case in found[:most]]


def _tasks(case: Case, labels: tuple[str, ...]) -> list[tuple[int, ...]]:
    names = dict(case.names)
    return [task for task in case.tasks if not labels or any(names[value] in labels for value in task)]


if __name__ == "__main__":
    main()
