"""What holds for every command: help, versions, errors as sentences, exit statuses, quiet libraries."""

from __future__ import annotations

import logging
import re
import runpy
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, get_type_hints

import click
import pytest

import sammed_cli
from sammed.jobs.info import InfoRequest, InfoResult, info
from sammed.progress import Reporter
from sammed.version import __version__
from sammed_cli.main import cli

if TYPE_CHECKING:
    from tests.cli.conftest import Case, Run, Sammed


ROOT = Path(sammed_cli.__file__).parents[2]
ENVIRONMENT = {"PYTHONPATH": f"{ROOT}:{ROOT / 'cli'}:{ROOT / 'volumes'}", "PATH": "/usr/bin:/bin"}


def every_command(
    command: click.Command = cli, name: tuple[str, ...] = (), context: click.Context | None = None
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """All commands and groups, each with its words on the command line."""
    context = click.Context(command, info_name=name[-1] if name else "sammed", parent=context)
    yield name, command
    if isinstance(command, click.Group):
        for word in command.list_commands(context):
            inner = command.get_command(context, word)
            assert inner is not None
            yield from every_command(inner, (*name, word), context)


COMMANDS = dict(every_command())


def python(*arguments: str) -> str:
    """Run Python in another process, in which nothing is imported yet, and return what it printed."""
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, encoding="utf-8", env=ENVIRONMENT, check=True
    )
    return done.stdout


def test_the_commands_are_those_of_the_design() -> None:
    groups = {
        "nnunet", "monai", "list", "fetch", "verify", "info", "clear",
        "make", "split", "train", "label", "evaluate", "sample",
    }  # fmt: skip
    assert {name[0] for name in COMMANDS if name} == {
        "demo",
        "interpolate",
        "assist-train",
        "assist-label",
        "assist-evaluate",
        "auto-train",
        "auto-label",
        "evaluate",
        "check",
        "convert",
        "export",
        "backbones",
        "info",
        "cache",
        "doctor",
        "set",
        "pseudo-label",
        "student",
        "synthesize",
    }
    assert {name[1] for name in COMMANDS if len(name) == 2} == groups


@pytest.mark.parametrize("name", COMMANDS, ids=lambda name: " ".join(name) or "sammed")
def test_help(sammed: Sammed, name: tuple[str, ...]) -> None:
    run = sammed(*name, "--help")
    assert (run.exit_code, run.stderr) == (0, "")
    assert run.stdout.startswith(" ".join(("Usage: sammed", *name)))
    assert sammed(*name, "-h").stdout == run.stdout
    assert "\\b" not in run.stdout, "a mark for click is shown to the reader"


@pytest.mark.parametrize("name", COMMANDS, ids=lambda name: " ".join(name) or "sammed")
def test_options_are_explained_and_no_flag_is_given_twice(name: tuple[str, ...]) -> None:
    command = COMMANDS[name]
    options = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
    flags = [flag for option in options for flag in (*option.opts, *option.secondary_opts)]
    assert sorted(flags) == sorted(set(flags))
    assert [option.name for option in options if not option.help] == []
    assert command.help


@pytest.mark.parametrize("name", COMMANDS, ids=lambda name: " ".join(name) or "sammed")
def test_every_command_gives_json(name: tuple[str, ...]) -> None:
    """Groups don't: they do nothing themselves."""
    command = COMMANDS[name]
    flags = [flag for parameter in command.params for flag in parameter.opts]
    assert ("--json" in flags) != isinstance(command, click.Group)


def test_summaries_fit_on_a_line(sammed: Sammed) -> None:
    assert "..." not in sammed("--help").stdout.split("Commands:")[1]


def test_version(sammed: Sammed) -> None:
    assert sammed("--version").stdout == f"sammed, version {__version__}\n"


def test_the_module_is_the_program() -> None:
    assert python("-m", "sammed_cli", "--version") == f"sammed, version {__version__}\n"
    assert python("-m", "sammed_cli", "--help").startswith("Usage: sammed ")


def test_the_module_is_the_program_in_this_process(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["anything", "--version"])
    with pytest.raises(SystemExit) as left:
        runpy.run_module("sammed_cli", run_name="__main__")
    assert (left.value.code, capsys.readouterr().out) == (0, f"sammed, version {__version__}\n")


def test_help_loads_nothing_heavy() -> None:
    """Torch takes seconds, numpy and rich tenths; `--help` reads every command's module."""
    code = (
        "import sys\nfrom sammed_cli.main import cli\n"
        "try:\n    cli.main(['--help'])\nexcept SystemExit:\n    pass\n"
        "print('loaded', sorted({'torch', 'numpy', 'rich', 'scipy', 'nibabel'} & set(sys.modules)))"
    )
    assert python("-c", code).splitlines()[-1] == "loaded []"


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["info", "image.nii.gz"], id="info"),
        pytest.param(["cache", "info"], id="cache info"),
        pytest.param(["backbones", "list"], id="backbones list"),
        pytest.param(["set", "info", "set"], id="set info"),
        pytest.param(
            ["export", "monai", "image.nii.gz", "labels.nii.gz", "--output", "data", "--name", "A"],
            id="export",
        ),
    ],
)
def test_small_commands_do_not_import_torch(
    sammed: Sammed, case: Case, own_folders: Path, arguments: list[str]
) -> None:
    assert sammed("set", "make", case.image, case.labels, "--output", "set").exit_code == 0
    case.image.rename(own_folders / "image.nii.gz")
    case.labels.rename(own_folders / "labels.nii.gz")
    code = (
        "import sys\nfrom sammed_cli.main import cli\n"
        f"try:\n    cli.main({arguments})\nexcept SystemExit as left:\n    status = left.code\n"
        "print('status', status, 'torch' in sys.modules)"
    )
    assert python("-c", code).splitlines()[-1] == "status 0 False"


LEAVES = [name for name, command in COMMANDS.items() if not isinstance(command, click.Group)]


@pytest.mark.parametrize("name", LEAVES, ids=" ".join)
def test_every_command_has_its_job_where_its_name_says(name: tuple[str, ...]) -> None:
    """Module, request and job are named after the command; the result can be printed as JSON."""
    words = [word.replace("-", "_") for word in name]
    group = import_module(f"sammed.jobs.{words[0]}")
    is_folder = len(words) > 1 and hasattr(group, "__path__")
    module = import_module(f"sammed.jobs.{'.'.join(words)}") if is_folder else group
    request = getattr(module, "".join(part.title() for word in words for part in word.split("_")) + "Request")
    job = getattr(module, "_".join(words))
    hints = get_type_hints(job)
    assert list(hints)[:2] == ["request", "reporter"]
    assert hints["request"] is request
    assert hints["reporter"] is Reporter
    assert callable(hints["return"].to_json)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param(["evalute"], "No such command 'evalute'", id="unknown command"),
        pytest.param(["evaluate", "--tolernce", "2"], "No such option", id="unknown option"),
        pytest.param(["evaluate"], "Missing argument 'PREDICTION'", id="no argument"),
        pytest.param(["info", "nothing.nii.gz"], "'nothing.nii.gz' does not exist", id="missing file"),
        pytest.param(["auto-label"], "There is no skill skill.safetensors", id="no skill"),
        pytest.param(["auto-label", "a.nii.gz"], "There is no skill skill.safetensors", id="no skill"),
        pytest.param(["assist-train", "--window", "7"], "A window is auto, LOW,HIGH or one of", id="window"),
        pytest.param(["assist-train", "--window", "9,7"], "from a lower to a higher", id="window turned"),
        pytest.param(["assist-train", "--slice-index", "4,x"], "'4,x' is not a list of whole", id="slices"),
        pytest.param(["assist-train", "--slices", "0"], "0 is not in the range x>=1", id="no slice"),
        pytest.param(["assist-train", "--axis", "3"], "'3' is not one of 'auto', '0'", id="axis"),
        pytest.param(["assist-train", "--backbone", "sam"], "'sam' is not one of", id="backbone"),
    ],
)
def test_misuse_exits_2(sammed: Sammed, arguments: list[str], sentence: str) -> None:
    run = sammed(*arguments)
    assert run.exit_code == 2
    assert run.stdout == ""
    assert sentence in run.sentence
    as_json = sammed(*arguments, "--json")
    assert as_json.exit_code == 2
    assert sentence in as_json.json["error"]


def test_a_former_name_still_works_but_is_not_shown(sammed: Sammed) -> None:
    former = "synthesise"  # codespell:ignore synthesise
    assert sammed(former, "--help").stdout.startswith("Usage: sammed synth")
    assert former not in sammed("--help").stdout


def test_nothing_to_do_shows_help(sammed: Sammed) -> None:
    run = sammed()
    assert "Commands:" in run.stdout + run.stderr


def raising(error: BaseException) -> Callable[..., NoReturn]:
    def job(*_: object) -> NoReturn:
        raise error

    return job


@pytest.fixture
def failing_info(sammed: Sammed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Sammed:
    """`sammed info` with a library that raises what the test says."""

    def run(error: BaseException, *flags: str) -> Run:
        (tmp_path / "file").touch()
        monkeypatch.setattr("sammed.jobs.info.info", raising(error))
        return sammed(*flags, "info", tmp_path / "file")

    return run


def test_an_interrupted_command_exits_130(failing_info: Sammed) -> None:
    run = failing_info(KeyboardInterrupt())
    assert run.exit_code == 130
    assert run.sentence == "Interrupted; finished files are kept, unfinished ones are removed."


def test_a_full_disk_is_a_sentence(failing_info: Sammed) -> None:
    run = failing_info(OSError(28, "No space left on device", "/data/liver.nii.gz"))
    assert run.exit_code == 1
    sentence = "/data/liver.nii.gz: No space left on device. Free some space or choose another place."
    assert run.sentence == sentence


def test_a_fault_of_our_own_says_how_to_report_it(failing_info: Sammed) -> None:
    run = failing_info(IndexError("list index out of range\nmore"))
    assert run.exit_code == 1
    assert run.sentence.startswith("This is a bug in sammed (IndexError: list index out of range)")
    assert "`sammed --debug COMMAND`" in run.sentence


def test_the_end_of_a_file_is_no_interruption(failing_info: Sammed) -> None:
    """Click takes an EOFError for Ctrl-D; here it comes from a library that reads a damaged file."""
    run = failing_info(EOFError("ran out of input"))
    assert run.exit_code == 1
    assert "EOFError: ran out of input" in run.sentence


WRITES_FOR_EVER = """
import signal, sys, time
from pathlib import Path
import sammed.jobs.info
from sammed_cli.main import cli
from sammed_volumes.atomic_file import atomic_file

def info(*_):
    with atomic_file(Path("labels.nii.gz"), ".nii.gz") as partial:
        partial.write_bytes(b"half of it")
        print("writing", flush=True)
        time.sleep(60)

sammed.jobs.info.info = info
signal.signal(signal.SIGINT, signal.default_int_handler)  # shells take it from what they run behind
cli.main(["info", sys.argv[1]])
"""


def test_ctrl_c_in_another_process_leaves_nothing_half_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    process = subprocess.Popen(
        [sys.executable, "-c", WRITES_FOR_EVER, "file"],
        cwd=tmp_path,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "writing\n"
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 130, stderr
    assert stderr.strip() == "Error: Interrupted; finished files are kept, unfinished ones are removed."
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_debug_shows_the_traceback(failing_info: Sammed) -> None:
    run = failing_info(IndexError("here"), "--debug")
    assert "Traceback (most recent call last)" in run.stderr
    assert "IndexError: here" in run.stderr
    assert run.exit_code == 1


def test_our_messages_reach_people_and_libraries_are_quiet(
    sammed: Sammed, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    def chatty(request: InfoRequest, reporter: Reporter) -> InfoResult:
        logging.getLogger("sammed").info("Converting the [encoder].")
        logging.getLogger("sammed").warning("The cache is full.")
        logging.getLogger("somebody").error("a library's own business")
        logging.getLogger("nibabel.global").error("pixdim is odd")
        warnings.warn("deprecated since 1.2", FutureWarning, stacklevel=1)
        return info(request, reporter)

    monkeypatch.setattr("sammed.jobs.info.info", chatty)
    run = sammed("info", case.image)
    assert run.exit_code == 0
    assert run.stderr.startswith("Converting the [encoder].\nWarning: The cache is full.\n")
    assert not re.search("business|pixdim|deprecated", run.stderr)


def test_a_run_leaves_no_handler_behind(sammed: Sammed, case: Case) -> None:
    before = logging.getLogger("sammed").handlers[:], logging.getLogger().handlers[:]
    sammed("info", case.image)
    assert (logging.getLogger("sammed").handlers, logging.getLogger().handlers) == before
    assert not logging.getLogger("nibabel.global").disabled
