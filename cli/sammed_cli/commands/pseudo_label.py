"""`sammed pseudo-label`: one of five methods labels the rest of a labeled set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from sammed.datasets.pseudo.methods import METHODS
from sammed_cli import options
from sammed_cli.assignments import settings
from sammed_cli.failures import FAILED, INTERRUPTED


def _show_settings(context: click.Context, _parameter: click.Parameter, name: str | None) -> None:
    """Print a method's settings, their values and what these may be, and leave."""
    if name is None:
        return
    from sammed.datasets.pseudo.methods import config_type
    from sammed.datasets.settings import settings_of

    for setting in settings_of(config_type(name)):
        choices = f"  ({', '.join(setting.choices)})" if setting.choices else ""
        click.echo(f"{setting.name}={setting.value}{choices}")
    context.exit()


_METHOD = click.Choice(tuple(METHODS))


@click.command("pseudo-label", short_help="Label the rest of a labeled set by one of five methods.")
@click.argument("labeled_set", type=options.EXISTING, metavar="SET")
@click.option(
    "--method",
    type=_METHOD,
    required=True,
    help="; ".join(f"{name}: {method.summary}" for name, method in METHODS.items()) + ".",
)
@click.option("--output", type=options.NEW_FOLDER, required=True, help="Folder of the new set.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    callback=settings,
    metavar="KEY=VALUE",
    help="A setting of the method; may be repeated. --settings METHOD lists them.",
)
@click.option(
    "--min-score",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    help="Drop what the method itself trusts less.",
)
@click.option(
    "--ignore-below",
    is_flag=True,
    help="Don't drop: mark the labels below --min-score as voxels to be ignored.",
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
    help="List a method's settings and leave.",
)
@click.pass_context
def pseudo_label(context: click.Context, /, as_json: bool, labeled_set: Path, **request: Any) -> None:
    """Learn from the gold cases of SET, label its other training cases, and write both as a new set.

    SET is a folder that `sammed set make` filled. Images are not copied. Goes on after a bad case, and
    exits 1 if any failed or nothing was labeled.
    """
    from sammed.jobs.pseudo_labeling import PseudoLabelingRequest
    from sammed.jobs.pseudo_labeling import pseudo_label as job
    from sammed_cli.set_reports import pseudo_labeling_summary, pseudo_labeling_table

    result = job(PseudoLabelingRequest(labeled_set=labeled_set, **request), context.obj.reporter)
    context.obj.answer(as_json, result.to_json(), pseudo_labeling_table(result))
    context.obj.say(pseudo_labeling_summary(result))
    if result.interrupted:
        context.exit(INTERRUPTED)
    if not result.is_good:
        context.exit(FAILED)
