import importlib
import re
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.accuracy.__main__ import main as accuracy
from bench.page import table, write_page
from bench.pseudo.__main__ import main as pseudo
from bench.rows import ROOT, append_rows, current_commit, read_rows
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


def test_outside_a_checkout_there_is_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.rows.ROOT", tmp_path)
    assert current_commit.__wrapped__() == ""


def commands() -> list[str]:
    """Every command of the README, in blocks and in spans of code."""
    text = (ROOT / "bench" / "README.md").read_text(encoding="utf-8")
    return sorted(set(re.findall(r"python (-m bench\.[^`\n]+)", text)))


@pytest.mark.parametrize("line", commands())
def test_a_command_of_the_readme_can_be_given(line: str, tmp_path: Path) -> None:
    (tmp_path / "DATA").mkdir()
    _, name, *words = shlex.split(line)
    is_package = (ROOT / name.replace(".", "/")).is_dir()
    command = importlib.import_module(f"{name}.__main__" if is_package else name).main
    with command.make_context(name, words):
        pass


def test_the_readme_names_every_bench() -> None:
    scripts = {path for path in (ROOT / "bench").rglob("*.py") if "\n    main()" in path.read_text("utf-8")}
    modules = {str(path.relative_to(ROOT).with_suffix("")).replace("/", ".") for path in scripts}
    named = {line.split()[1] for line in commands()}
    assert {module.removesuffix(".__main__") for module in modules} == named
