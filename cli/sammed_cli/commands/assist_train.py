"""`sammed assist-train`: learn a skill from a few annotated slices."""

from __future__ import annotations

from typing import Any

import click

from sammed_cli import options
from sammed_cli.terminal import Terminal


@click.command("assist-train", short_help="Learn a skill from a few annotated slices.")
@click.argument("image", type=options.EXISTING, required=False)
@click.argument("labels", type=options.EXISTING, required=False)
@options.annotated_slices
@options.label
@options.names
@click.option(
    "--prompts",
    type=click.Choice(("points", "boxes", "composite")),
    default="composite",
    show_default=True,
    help="Prompts that the prompt encoder learns from.",
)
@click.option(
    "--auto/--no-auto", default=True, show_default=True, help="Also learn the generator for auto-label."
)
@options.encoding
@options.axis
@options.window
@options.seed
@options.series
@options.spacing
@options.flatten
@options.colors
@options.resample
@click.option(
    "--output", type=options.NEW_FILE, default="skill.safetensors", show_default=True, help="Skill to write."
)
@options.overwrite
@options.json_output
@click.pass_obj
def assist_train(terminal: Terminal, /, as_json: bool, **settings: Any) -> None:
    """Learn a skill from IMAGE and the annotated slices of LABELS: prompt encoders and a generator.

    Without IMAGE and LABELS the command uses image* and label* (or images/ and labels/) in the working
    folder, or else the demo's chest CT.
    """
    from sammed.jobs.assist_train import AssistTrainRequest
    from sammed.jobs.assist_train import assist_train as job
    from sammed_cli.reports import training_tables

    result = job(AssistTrainRequest(**settings), terminal.reporter)
    terminal.finish(as_json, result, *training_tables(result))
