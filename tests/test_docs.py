"""The pages speak of what is there: files, names in them, commands with their options, links."""

import ast
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest

from sammed_cli.main import cli

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
MAPS = [ROOT / "docs/method.md", ROOT / "docs/architecture.md", ROOT / "docs/pseudo.md"]

_SPAN = re.compile(r"`([^`\n]+)`")
_PLACE = re.compile(r"(?P<path>[\w./-]+(?:\.py|/))(?:: (?P<symbol>[\w.]+))?")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_BLOCK = re.compile(r"```[a-z]*\n(.*?)```", re.DOTALL)


def without_blocks(page: Path) -> str:
    return _BLOCK.sub("", page.read_text(encoding="utf-8"))


def places(page: Path) -> list[tuple[str, str | None]]:
    """Every `path` and `path: symbol` in code spans."""
    found = (_PLACE.fullmatch(span) for span in _SPAN.findall(without_blocks(page)))
    return sorted({(match["path"], match["symbol"]) for match in found if match}, key=str)


@cache
def symbols(path: Path) -> frozenset[str]:
    """Names that a module defines, and those of its classes: `Frame`, `Frame.points_to_sam`."""
    return frozenset(_defined(ast.parse(path.read_text(encoding="utf-8")).body, ""))


def _defined(body: list[ast.stmt], prefix: str) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield prefix + node.name
            if isinstance(node, ast.ClassDef):
                yield from _defined(node.body, f"{prefix}{node.name}.")
        elif isinstance(node, ast.Assign):
            yield from (prefix + target.id for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield prefix + node.target.id


@pytest.mark.parametrize("page", MAPS, ids=lambda page: page.name)
def test_every_path_and_symbol_exists(page: Path) -> None:
    found = places(page)
    assert len(found) > 20, "the pattern no longer sees the spans"
    missing = [
        f"{path}: {symbol}" if symbol else path
        for path, symbol in found
        if not (ROOT / path).exists() or (symbol and symbol not in symbols(ROOT / path))
    ]
    assert not missing


def test_the_method_page_names_every_equation_and_the_algorithm() -> None:
    text = (ROOT / "docs/method.md").read_text(encoding="utf-8")
    for number in range(1, 8):
        assert f"| Equation {number}:" in text
    assert "Algorithm 1" in text
    assert "table 5" in text


def test_a_wrong_symbol_would_be_noticed() -> None:
    known = symbols(ROOT / "sammed/auto/sap_net.py")
    assert {"SapNet.similarity", "SapNetConfig.positions", "GROUPS", "log_odds"} <= known
    assert "SapNet.similarities" not in known


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_within_the_repository_resolve(page: Path) -> None:
    links = [link for link in _LINK.findall(without_blocks(page)) if "://" not in link]
    missing = [link for link in links if not (page.parent / link.partition("#")[0]).exists()]
    assert not missing


def commands() -> list[str]:
    """Every line `sammed ...` in the README, in blocks and in spans of code, without its comment."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    lines = [line for block in _BLOCK.findall(text) for line in block.splitlines()]
    spans = _SPAN.findall(without_blocks(ROOT / "README.md"))
    return sorted(
        {
            line.partition(" #")[0].strip()
            for line in (*lines, *spans)
            if line.startswith("sammed ") and "COMMAND" not in line
        }
    )


@pytest.mark.parametrize("line", commands())
def test_a_command_of_the_readme_can_be_given(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its words, options and their values are those that click parses; files that it reads are made."""
    monkeypatch.chdir(tmp_path)
    command, words, context = find_command(shlex.split(line)[1:])
    if not words and command.params and line in BARE:
        return
    make_files([*words, "skill.safetensors"])
    with command.make_context(context.info_name, list(words), parent=context.parent):
        pass


# Commands that the text speaks of without their files.
BARE = {"sammed info", "sammed doctor"}


def find_command(words: list[str]) -> tuple[click.Command, list[str], click.Context]:
    """The command that the first words name, the words after, and a context of that command."""
    command: click.Command = cli
    context = click.Context(cli, info_name="sammed", **cli.context_settings)
    while isinstance(command, click.Group):
        name, *words = words
        found = command.get_command(context, name)
        assert found is not None, f"there is no command {name}"
        command, context = found, click.Context(found, info_name=name, parent=context)
    return command, words, context


def make_files(words: list[str]) -> None:
    """Empty files and folders for the words that look like ones."""
    for word in words:
        if word.startswith("-"):
            continue
        if word.endswith("/"):
            Path(word).mkdir(exist_ok=True)
        elif re.search(r"[a-z]\.[a-z]", word):
            Path(word).touch()


def test_the_readme_shows_every_command() -> None:
    named = {line.split()[1] for line in commands()}
    assert {*cli.list_commands(click.Context(cli, **cli.context_settings))} <= named
    assert "make demo" in (ROOT / "README.md").read_text(encoding="utf-8")
