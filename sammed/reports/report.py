"""Reports: one self-contained HTML file, with style and pictures inside and without scripts."""

from __future__ import annotations

import base64
import math
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TypeAlias

from sammed.errors import ConfigError, ExportError
from sammed_volumes.atomic_file import atomic_file

Cell: TypeAlias = str | int | float | None


def finite(value: Cell) -> Cell:
    """Return the value for JSON, with None in place of NaN."""
    return None if isinstance(value, float) and math.isnan(value) else value


_MEDIA_TYPES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg"}


@dataclass(frozen=True, slots=True)
class Table:
    """A table: numbers have three decimals and are aligned to the right, None and NaN are dashes."""

    title: str
    headers: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.headers):
                raise ConfigError(
                    f"Table {self.title!r} has {len(self.headers)} columns, but a row of {len(row)} cells."
                )

    def to_json(self) -> dict[str, object]:
        """Return the table as JSON: each row under the headers."""
        rows = [dict(zip(self.headers, map(finite, row), strict=True)) for row in self.rows]
        return {"title": self.title, "rows": rows}


@dataclass(frozen=True, slots=True)
class Picture:
    """A PNG or JPEG file that is copied into the report, and its caption."""

    path: Path
    caption: str

    def __post_init__(self) -> None:
        if self.path.suffix.lower() not in _MEDIA_TYPES:
            raise ConfigError(f"{self.path} can't go into a report; supported are {', '.join(_MEDIA_TYPES)}.")


@dataclass(frozen=True, slots=True)
class Report:
    """The content of a report, from top to bottom; facts are short pairs such as ("seconds", 41.5)."""

    title: str
    summary: str
    pictures: tuple[Picture, ...] = ()
    tables: tuple[Table, ...] = ()
    facts: tuple[tuple[str, Cell], ...] = ()


def write_report(path: Path, report: Report, *, overwrite: bool = False) -> Path:
    """Write the report as one HTML file and return its path.

    Raises OutputError if `path` can't be written or already exists (unless `overwrite`), ExportError if a
    picture can't be read.
    """
    page = render_report(report)
    with atomic_file(path, ".html", overwrite=overwrite) as partial:
        partial.write_text(page, encoding="utf-8")
    return path


def render_report(report: Report) -> str:
    """Return the report as an HTML page; all text is escaped."""
    title = escape(report.title)
    parts = [
        f"<header><h1>{title}</h1><p>{escape(report.summary)}</p></header>",
        *(_picture(picture) for picture in report.pictures),
        *(_table(table) for table in report.tables),
        _facts(report.facts),
    ]
    return _PAGE.format(title=title, style=_STYLE, body="\n".join(part for part in parts if part))


def _picture(picture: Picture) -> str:
    try:
        data = base64.b64encode(picture.path.read_bytes()).decode("ascii")
    except OSError as error:
        raise ExportError(
            f"{picture.path} can't be read for the report: {error.strerror or error}."
        ) from error
    source = f"data:{_MEDIA_TYPES[picture.path.suffix.lower()]};base64,{data}"
    caption = escape(picture.caption)
    return f'<figure><img src="{source}" alt="{caption}"><figcaption>{caption}</figcaption></figure>'


def _table(table: Table) -> str:
    numeric = [_is_numeric(column) for column in zip(*table.rows, strict=True)] or [False] * len(
        table.headers
    )
    head = "".join(_cell("th", name, right) for name, right in zip(table.headers, numeric, strict=True))
    rows = "\n".join(
        "<tr>" + "".join(_cell("td", cell, right) for cell, right in zip(row, numeric, strict=True)) + "</tr>"
        for row in table.rows
    )
    grid = f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table>"
    return f'<section><h2>{escape(table.title)}</h2>\n<div class="wide">{grid}</div></section>'


def _is_numeric(column: tuple[Cell, ...]) -> bool:
    return all(not isinstance(cell, str) for cell in column)


def _cell(tag: str, cell: Cell, right: bool) -> str:
    opening = f'<{tag} class="number">' if right else f"<{tag}>"
    return f"{opening}{escape(_text(cell))}</{tag}>"


def _text(cell: Cell, decimals: str = ".3f") -> str:
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return "\N{EN DASH}"
    return f"{cell:{decimals}}" if isinstance(cell, float) else str(cell)


def _facts(facts: tuple[tuple[str, Cell], ...]) -> str:
    if not facts:
        return ""
    pairs = "\n".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(_text(value, '.6g'))}</dd></div>" for name, value in facts
    )
    return f"<section><h2>Facts</h2>\n<dl>\n{pairs}\n</dl></section>"


_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""

_STYLE = """
:root { --paper: #ffffff; --ink: #1b2027; --quiet: #5d6773; --line: #dfe3e8; --band: #f6f7f9; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #0f1216; --ink: #e8ebef; --quiet: #98a2af; --line: #2a313a; --band: #171b21; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 72rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
header { border-bottom: 1px solid var(--line); margin-bottom: 2rem; padding-bottom: 1rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .6rem; letter-spacing: -.01em; }
header p { color: var(--quiet); font-size: 1.08rem; margin: 0; max-width: 50rem; }
h2 { font-size: 1.15rem; margin: 2.2rem 0 .7rem; }
figure { margin: 0 0 1.5rem; }
img { display: block; width: 100%; height: auto; border-radius: 8px; background: #0f1216; }
figcaption { color: var(--quiet); font-size: .9rem; margin-top: .5rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .95rem; }
th, td { text-align: left; padding: .45rem .8rem; border-bottom: 1px solid var(--line); white-space: nowrap; }
thead th { color: var(--quiet); font-weight: 600; border-bottom: 2px solid var(--line); }
tbody tr:hover { background: var(--band); }
.number { text-align: right; font-variant-numeric: tabular-nums; }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: .6rem; margin: 0; }
dl div { background: var(--band); border: 1px solid var(--line); border-radius: 8px; padding: .6rem .85rem; }
dt { color: var(--quiet); font-size: .82rem; }
dd { margin: 0; font-weight: 600; overflow-wrap: anywhere; }
"""
