"""Speed as ratios, the two sides of each measured in turns: `python -m bench.speed`.

On a shared machine ratios mean more than times. The seconds stand beside them.
"""

import tempfile
from pathlib import Path

import click
import torch

from bench.page import table, write_page
from bench.speed.chest import chest_ct
from bench.speed.pairs import Comparison, Pairs
from bench.speed.timing import Times, compare


@click.command()
@click.option("--repeats", default=3, show_default=True)
@click.option("--only", multiple=True, help="Words of the rows to measure.")
@click.option("--output", type=click.Path(path_type=Path), default=Path("docs/results"), show_default=True)
def main(repeats: int, only: tuple[str, ...], output: Path) -> None:
    """Measure, and write the table of speed.md."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    measured = f"Measured on {device} with {torch.get_num_threads()} threads."
    rows = []
    with tempfile.TemporaryDirectory() as work:
        for comparison in Pairs(chest_ct(), device, Path(work)).comparisons():
            if not only or any(word in comparison.what for word in only):
                rows.append(_row(comparison, compare_pair(comparison, repeats)))
                click.echo(" | ".join(rows[-1]))
                lines = table(("what", "ratio", "at most", "", "took"), rows)
                write_page(output / "speed.md", "Speed", "python -m bench.speed", [measured, "", *lines])


def compare_pair(comparison: Comparison, repeats: int) -> Times:
    """Prepare a comparison when its turn comes, and time it."""
    work, base, units = comparison.prepare()
    return compare(work, base, repeats, units)


def _row(comparison: Comparison, times: Times) -> tuple[str, ...]:
    most = comparison.most
    asked = "" if most is None else f"{most:g}"
    reached = "" if most is None else ("reached" if times.ratio <= most else "missed")
    took = sum(times.seconds) / len(times.seconds)
    return comparison.what, times.text, asked, reached, f"{took:.2f} s"


if __name__ == "__main__":
    main()
