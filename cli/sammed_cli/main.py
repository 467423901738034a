"""The group `sammed`. It imports nothing slow, and turns every error into one sentence."""

from __future__ import annotations

import sys
import traceback
from typing import Any, NoReturn

import click

from sammed.version import __version__
from sammed_cli.failures import Failure, describe
from sammed_cli.lazy_group import LazyGroup
from sammed_cli.terminal import Terminal, only_our_messages, print_json

PROGRAM = "sammed"

_COMMANDS = {
    "demo": "sammed_cli.commands.demo:demo",
    "interpolate": "sammed_cli.commands.interpolate:interpolate",
    "assist-train": "sammed_cli.commands.assist_train:assist_train",
    "assist-label": "sammed_cli.commands.assist_label:assist_label",
    "assist-evaluate": "sammed_cli.commands.assist_evaluate:assist_evaluate",
    "auto-train": "sammed_cli.commands.auto_train:auto_train",
    "auto-label": "sammed_cli.commands.auto_label:auto_label",
    "evaluate": "sammed_cli.commands.evaluate:evaluate",
    "check": "sammed_cli.commands.check:check",
    "convert": "sammed_cli.commands.convert:convert",
    "export": "sammed_cli.commands.export:export",
    "set": "sammed_cli.commands.set:labeled_set",
    "pseudo-label": "sammed_cli.commands.pseudo_label:pseudo_label",
    "student": "sammed_cli.commands.student:student",
    "synthesize": "sammed_cli.commands.synthesize:synthesize",
    "backbones": "sammed_cli.commands.backbones:backbones",
    "info": "sammed_cli.commands.info:info",
    "cache": "sammed_cli.commands.cache:cache",
    "doctor": "sammed_cli.commands.doctor:doctor",
}


class CommandLine(LazyGroup):
    """The outermost group: an error becomes one sentence on stderr, a JSON object, and an exit status."""

    def main(self, args: Any = None, *ignored: Any, **settings: Any) -> NoReturn:
        """Run a command and exit."""
        given = sys.argv[1:] if args is None else list(args)
        terminal = Terminal()
        settings.update(prog_name=PROGRAM, standalone_mode=False, obj=terminal)
        try:
            with only_our_messages(terminal):
                status = super().main(args, *ignored, **settings)
        except (Exception, KeyboardInterrupt) as error:
            status = _report(_cause(error), given)
        sys.exit(status or 0)


def _cause(error: BaseException) -> BaseException:
    """Return the error behind click's Abort, which means Ctrl-C, but also the EOFError of a damaged file."""
    return error.__cause__ if isinstance(error.__cause__, EOFError) else error


def _report(error: BaseException, given: list[str]) -> int:
    failure = describe(error)
    if "--debug" in given:
        traceback.print_exception(error)
        if failure.details:
            click.echo(failure.details, err=True)
    _print(failure)
    if "--json" in given:
        print_json({"error": failure.message, **({"details": failure.details} if failure.details else {})})
    return failure.exit_code


def _print(failure: Failure) -> None:
    if failure.usage is not None:
        failure.usage.show()
    else:
        click.echo(f"Error: {failure.message}", err=True)


@click.group(
    cls=CommandLine,
    lazy_commands=_COMMANDS,
    former_names={"synthesise": "synthesize"},  # codespell:ignore synthesise
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name=PROGRAM)
@click.option("--debug", is_flag=True, expose_value=False, help="Show tracebacks, for developers.")
def cli() -> None:
    """Mark two to five slices of a CT or MRI volume and get the rest.

    `sammed assist-train --slices 2` learns from two slices; `sammed auto-label volume.nii.gz` labels a
    volume. No file is overwritten without --overwrite. See `sammed COMMAND --help`.
    """


def main() -> NoReturn:
    """Run the program `sammed`."""
    cli.main()
