"""Every message that a user may cause states a fact and a remedy, as CONTRIBUTING.md asks."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import sammed_volumes

SOURCES = sorted(Path(sammed_volumes.__file__).parent.rglob("*.py"))
_REMEDY_FOLLOWS = ("; ", ". ")

# They list what is valid, so that the remedy is plain; or only a programmer can cause them.
WITHOUT = (
    "A window runs from a lower to a higher number",
    "Percentiles must be between 0 and 100",
    "A window is auto, LOW,HIGH or one of",
    "There is no axis",
    "Slice ... is outside the volume: axis ... has slices 0 to",
    "Labels are unsigned whole numbers X Y Z",
    "Label values must be distinct and in ascending order",
    "The ... has shape ..., but this slicing is for",
    "The source image ... is gone or can't be read",  # its place is named
)


def text_of(node: ast.expr) -> str | None:
    """The text of a message with ... for what is filled in, None if it is not written where it is raised."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "..." for part in node.values)
    return None


def messages(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not (isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args):
            continue
        if isinstance(node.exc.func, ast.Name) and node.exc.func.id.endswith("Error"):
            text = text_of(node.exc.args[0])
            if text is not None and node.exc.func.id != "ValueError":  # turned into a sentence elsewhere
                yield text


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_a_message_says_what_to_do(path: Path) -> None:
    silent = [text for text in messages(path) if not any(mark in text for mark in _REMEDY_FOLLOWS)]
    assert [text for text in silent if not text.startswith(WITHOUT)] == []


def test_messages_are_found() -> None:
    assert sum(len(list(messages(path))) for path in SOURCES) > 80
