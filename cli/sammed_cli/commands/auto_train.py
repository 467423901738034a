"""`sammed auto-train`: learn a skill's generator again."""

from __future__ import annotations

from typing import Any

import click

from sammed_cli import options
from sammed_cli.terminal import Terminal


@click.command("auto-train", short_help="Learn a skill's generator again.")
@click.argument("image", type=options.EXISTING)
@click.argument("labels", type=options.EXISTING)
@options.skill
@options.annotated_slices
@options.encoding_of_skill
@options.seed
@options.series
@options.spacing
@options.flatten
@options.colors
@options.resample
@click.option("--output", type=options.NEW_FILE, help="Skill to write.  [default: replace --skill]")
@options.overwrite
@options.json_output
@click.pass_obj
def auto_train(terminal: Terminal, /, as_json: bool, **settings: Any) -> None:
    """Learn only the generator of a skill again, from IMAGE and LABELS."""
    from sammed.jobs.auto_train import AutoTrainRequest
    from sammed.jobs.auto_train import auto_train as job
    from sammed_cli.reports import training_tables

    result = job(AutoTrainRequest(**settings), terminal.reporter)
    terminal.finish(as_json, result, *training_tables(result))
