import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.accuracy.__main__ import main as accuracy
from bench.page import table, write_page
from bench.pseudo.__main__ import main as pseudo
from bench.rows import ROOT, append_rows, read_rows
from tests.bench.conftest import Run

RESULTS = ROOT / "docs" / "results"


@dataclass(frozen=True, slots=True)
class Point:
    name: str
    x: int
    y: float


def test_rows_survive_the_file(tmp_path: Path) -> None:
    path = tmp_path / "new" / "rows.csv"
    first, second = Point('a, "b"', 1, 0.5), Point("µ", -2, 1e-9)
    append_rows(path, [first])
    append_rows(path, [])
    append_rows(path, [second])
    assert read_rows(path, Point) == [first, second]
    assert path.read_text(encoding="utf-8").splitlines()[0] == "name,x,y"
    assert read_rows(tmp_path / "none.csv", Point) == []


def test_a_page_keeps_its_prose(tmp_path: Path) -> None:
    page = tmp_path / "new" / "page.md"
    write_page(page, "Title", "command", ["old"])
    assert page.read_text("utf-8").startswith("# Title\n")
    page.write_text(page.read_text("utf-8").replace("# Title", "# Prose") + "More prose.\n", "utf-8")
    write_page(page, "Title", "command", table(("a", "b"), [("1", "2")]))
    text = page.read_text("utf-8")
    assert text.startswith("# Prose\n")
    assert text.endswith("More prose.\n")
    assert "\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n" in text
    assert "old" not in text


def test_a_page_without_a_place_for_tables_is_kept(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Prose\n", encoding="utf-8")
    with pytest.raises(ValueError, match="has no place for tables"):
        write_page(page, "Title", "command", ["new"])
    assert page.read_text("utf-8") == "# Prose\n"


@pytest.mark.parametrize(("main", "name"), [(accuracy, "accuracy"), (pseudo, "pseudo")])
def test_the_pages_show_the_rows_of_the_repository(main: object, name: str, tmp_path: Path, run: Run) -> None:
    for suffix in ("csv", "md"):
        shutil.copy(RESULTS / f"{name}.{suffix}", tmp_path)
    run(main, "--page-only", "--output", tmp_path)
    assert (tmp_path / f"{name}.md").read_text("utf-8") == (RESULTS / f"{name}.md").read_text("utf-8")
