"""`sammed pseudo-label`: label the other cases of a labeled set with one of five methods."""

from __future__ import annotations

from typing import Any

import click

from sammed.datasets.pseudo.methods import METHODS
from sammed_cli import assignments, options
from sammed_cli.terminal import Terminal


def _show_settings(context: click.Context, _parameter: click.Parameter, name: str | None) -> None:
    """Print a method's settings with their defaults and choices, and exit."""
    if name is None:
        return
    from sammed.datasets.pseudo.methods import config_type

    assignments.show_settings(context, config_type(name))


_METHOD = click.Choice(tuple(METHODS))


@click.command("pseudo-label", short_help="Label the other cases of a labeled set.")
@click.argument("labeled_set", type=options.EXISTING, metavar="SET")
@click.option(
    "--method",
    type=_METHOD,
    required=True,
    help="; ".join(f"{name}: {method.summary}" for name, method in METHODS.items()) + ".",
)
@click.option("--output", type=options.NEW_FOLDER, required=True, help="Folder of the new set.")
@assignments.settings_option("A setting of the method; may be repeated. --settings METHOD lists all.")
@click.option(
    "--min-score",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    help="Drop labels that the method itself scores lower.",
)
@click.option(
    "--ignore-below",
    is_flag=True,
    help="Instead of dropping labels below --min-score, mark their voxels as ignored.",
)
@options.seed
@options.encoding
@options.overwrite
@options.json_output
@click.option(
    "--settings",
    "shown",
    type=_METHOD,
    metavar="METHOD",
    is_eager=True,
    expose_value=False,
    callback=_show_settings,
    help="List a method's settings and exit.",
)
@click.pass_obj
def pseudo_label(terminal: Terminal, /, as_json: bool, **settings: Any) -> None:
    """Learn from the gold cases of SET, label its other training cases, and write all as a new set.

    SET is a folder that `sammed set make` wrote. Images are not copied. A bad case is reported and skipped;
    the exit status is 1 if a case failed or nothing was labeled.
    """
    from sammed.jobs.pseudo_label import PseudoLabelRequest
    from sammed.jobs.pseudo_label import pseudo_label as job
    from sammed_cli.set_reports import pseudo_label_summary, pseudo_label_table

    result = job(PseudoLabelRequest(**settings), terminal.reporter)
    terminal.finish(
        as_json,
        result,
        pseudo_label_table(result),
        summary=pseudo_label_summary(result),
        failed=not result.is_good,
        interrupted=result.interrupted,
    )
