"""Pages of results: tables that a bench writes between two marks, inside prose that people write."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

BEGIN = "<!-- Tables written by {command}; edits here are lost. -->"
END = "<!-- End of the tables. -->"

Cells = Sequence[str]


def spread(values: Sequence[float], form: str = ".3f") -> str:
    """Return mean ± standard deviation."""
    return f"{np.mean(values):{form}} ± {np.std(values):{form}}"


def table(headers: Cells, rows: Iterable[Cells]) -> list[str]:
    """Return the lines of a Markdown table."""
    lines = (f"| {' | '.join(cells)} |" for cells in (headers, *rows))
    head, *body = lines
    return [head, "|" + "---|" * len(headers), *body]


def write_page(path: Path, title: str, command: str, lines: Iterable[str]) -> None:
    """Replace the tables of a page, and keep what stands around them; a new page has a title and tables."""
    begin = BEGIN.format(command=f"`{command}`")
    text = path.read_text(encoding="utf-8") if path.exists() else f"# {title}\n\n{begin}\n{END}\n"
    before, found, rest = text.partition(begin)
    _, end, after = rest.partition(END)
    if not found or not end:
        raise ValueError(f"{path} has no place for tables: put the lines {begin!r} and {END!r} into it.")
    tables = "\n".join(lines).strip("\n")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{before}{begin}\n\n{tables}\n\n{END}{after}", encoding="utf-8")
