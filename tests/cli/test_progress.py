"""Bars on a terminal, a line now and then elsewhere."""

import io

import pytest
from rich.console import Console

from sammed_cli.progress import TerminalReporter, download_bar
from sammed_cli.terminal import Terminal


def a_console(is_terminal: bool) -> Console:
    return Console(file=io.StringIO(), force_terminal=is_terminal, width=100, markup=False, color_system=None)


def shown_by(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_bars_are_shown_on_a_terminal() -> None:
    console = a_console(True)
    reporter = TerminalReporter(console)
    with reporter.task("volumes", 2) as volumes:
        with reporter.task("slices of [a]", 3) as slices:
            slices.advance()
            slices.advance(2)
        volumes.advance()
        reporter.message("Half of it is done.")
        volumes.advance()
    shown = shown_by(console)
    assert "volumes" in shown
    assert "2/2" in shown
    assert "Half of it is done." in shown
    last = shown[shown.rindex("volumes") :]
    assert "slices of" not in last, "a task that is over stays on the screen"


def test_two_tasks_one_after_another() -> None:
    console = a_console(True)
    reporter = TerminalReporter(console)
    for name in ("encoding", "learning"):
        with reporter.task(name, None) as task:
            task.advance()
    assert "learning" in shown_by(console)


def test_a_task_ends_with_its_error() -> None:
    reporter = TerminalReporter(a_console(True))
    with pytest.raises(KeyError), reporter.task("outer", 1), reporter.task("inner", 1):
        raise KeyError("gone")
    with reporter.task("the next", 1) as task:
        task.advance()


def test_a_file_gets_a_line_a_task_and_none_of_those_inside() -> None:
    console = a_console(False)
    reporter = TerminalReporter(console)
    with reporter.task("volumes", 2) as volumes, reporter.task("slices", 3) as slices:
        slices.advance()
        volumes.advance()
    reporter.message("Sentences are printed.")
    assert shown_by(console) == "volumes ...\nSentences are printed.\n"


def test_a_long_task_says_now_and_then_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sammed_cli.progress.LINE_EVERY_S", 0.0)
    console = a_console(False)
    with TerminalReporter(console).task("volumes", 3) as volumes:
        volumes.advance()
        volumes.advance(2)
    assert shown_by(console) == "volumes ...\nvolumes: 1 of 3\nvolumes: 3 of 3\n"


@pytest.mark.parametrize("is_terminal", [True, False], ids=["terminal", "file"])
def test_a_download(is_terminal: bool) -> None:
    console = a_console(is_terminal)
    with download_bar(console, "sam-vit-b") as hear:
        hear(1_000_000, None)
        hear(3_000_000, 3_000_000)
    assert ("3.0/3.0 MB" in shown_by(console)) == is_terminal


def test_nothing_is_wrapped_in_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal()
    terminal.say("word " * 100)
    assert capsys.readouterr().err.count("\n") == 1
