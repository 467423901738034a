"""Damaged files of each format that is read: `python -m bench.corruption --seed 0 --count 1000`; Linux."""

import sys
from collections import Counter
from pathlib import Path

import click

from bench.corruption.claims import CLAIMS, SET_ASIDE
from bench.corruption.processes import GOOD, OUTCOMES
from bench.corruption.rows import Way, append_row
from bench.corruption.samples import SAMPLES
from bench.corruption.trial import Bench, Trial


@click.command()
@click.option("--seed", default=0, show_default=True)
@click.option("--count", default=1000, show_default=True, help="Files of each format.")
@click.option("--format", "formats", multiple=True, type=click.Choice([*SAMPLES]), help="Only these formats.")
@click.option("--number", type=int, help="Only this one of the files, to repeat a case.")
@click.option("--keep", type=click.Path(path_type=Path), help="With --number: write the damaged file here.")
@click.option("--claims", is_flag=True, help="Headers that claim 10^12 voxels, in place of damage.")
@click.option("--output", type=click.Path(path_type=Path), help="Append rows to its corruption.csv.")
def main(
    seed: int,
    count: int,
    formats: tuple[str, ...],
    number: int | None,
    keep: Path | None,
    claims: bool,
    output: Path | None,
) -> None:
    """Read damaged files; exits with 1 after a traceback, a hang or too much memory."""
    numbers = range(count) if number is None else range(number, number + 1)
    faults = 0
    click.echo(f"{'format':14}" + "".join(f"{outcome:>11}" for outcome in OUTCOMES))
    for name in formats or (CLAIMS if claims else SAMPLES):
        trials = _claims(name) if claims else _trials(name, seed, numbers, keep)
        counts = Counter(trial.outcome for trial in trials)
        click.echo(f"{name:14}" + "".join(f"{counts[outcome]:11}" for outcome in OUTCOMES))
        for trial in trials:
            if trial.outcome not in GOOD or number is not None:
                command = f"--format {name} --seed {seed} --number {trial.number}"
                click.echo(f"  {trial.outcome}: {command}: {trial.detail}")
        if output is not None:
            way: Way = "claims" if claims else "seeded"
            append_row(output, way, name, seed, [trial.outcome for trial in trials])
        faults += sum(trial.outcome not in GOOD for trial in trials)
    sys.exit(faults > 0)


def _claims(name: str) -> list[Trial]:
    bench = Bench(SAMPLES[name], 0)
    try:
        return bench.claim(CLAIMS[name], is_set_aside=name in SET_ASIDE)
    finally:
        bench.close()


def _trials(name: str, seed: int, numbers: range, keep: Path | None) -> list[Trial]:
    bench = Bench(SAMPLES[name], seed)
    try:
        if keep is not None:
            keep.write_bytes(bench.damage(numbers[0]).content)
        return bench.run(numbers)
    finally:
        bench.close()


if __name__ == "__main__":
    main()
