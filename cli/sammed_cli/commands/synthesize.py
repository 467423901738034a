"""`sammed synthesize`: a diffusion model from a labeled set, and pictures from the model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from sammed_cli import options
from sammed_cli.assignments import settings
from sammed_cli.failures import FAILED
from sammed_cli.terminal import Terminal

_DEVICE = click.option(
    "--device", default="auto", show_default=True, metavar="auto|cpu|cuda[:N]|mps", help="Where to compute."
)


@click.group(short_help="Make synthetic images by a diffusion model.")
def synthesize() -> None:
    """Learn what the pictures of a set look like, and make more of them.

    Synthetic images show no patient, but a model of few pictures may repeat them: don't share it where those
    must not be shared.
    """


@synthesize.command()
@click.argument("labeled_set", type=options.EXISTING, metavar="SET")
@click.option(
    "--set",
    "settings",
    multiple=True,
    callback=settings,
    metavar="KEY=VALUE",
    help="A setting such as image_size=64, width=32, steps=5000, batch_size=8; may be repeated.",
)
@click.option(
    "--output", type=options.NEW_FILE, default="diffusion.safetensors", show_default=True, help="The model."
)
@options.seed
@_DEVICE
@options.overwrite
@options.json_output
@click.pass_context
def train(context: click.Context, /, as_json: bool, labeled_set: Path, **request: Any) -> None:
    """Learn from all pictures of SET that are trained on, labeled or not.

    The settings by default are the paper's and want a GPU; on a CPU take image_size=64 and width=32. A
    training that was killed goes on where it was when the same command is given again.
    """
    from sammed.jobs.synthesizing import SynthesisTrainingRequest, train_model
    from sammed_cli.set_reports import problems_table
    from sammed_cli.synthesis_reports import model_table

    result = train_model(SynthesisTrainingRequest(labeled_set=labeled_set, **request), context.obj.reporter)
    tables = [model_table(result), *([problems_table(result.problems)] if result.problems else [])]
    context.obj.answer(as_json, result.to_json(), *tables)
    if result.problems:
        context.exit(FAILED)


@synthesize.command()
@click.argument("model", type=options.EXISTING_FILE, metavar="MODEL")
@click.option("--count", type=click.IntRange(min=1), required=True, metavar="N", help="How many pictures.")
@click.option("--output", type=options.NEW_FOLDER, required=True, help="Folder to write them to.")
@click.option(
    "--gold",
    type=options.EXISTING,
    metavar="SET",
    help="Make the folder a set that `sammed pseudo-label` takes: the gold of SET, and the pictures.",
)
@click.option(
    "--steps",
    type=click.IntRange(min=1),
    metavar="N",
    help="Steps from noise to picture; fewer are faster, and less varied.  [default: the model's, 1000]",
)
@click.option(
    "--batch-size", type=click.IntRange(min=1), default=4, show_default=True, help="Pictures at a time."
)
@options.seed
@_DEVICE
@options.overwrite
@options.json_output
@click.pass_obj
def sample(terminal: Terminal, /, as_json: bool, model: Path, **request: Any) -> None:
    """Make pictures with MODEL, which `sammed synthesize train` wrote."""
    from sammed.jobs.synthesizing import SamplingRequest
    from sammed.jobs.synthesizing import sample as sample_job
    from sammed_cli.synthesis_reports import samples_table

    result = sample_job(SamplingRequest(model=model, **request), terminal.reporter)
    terminal.answer(as_json, result.to_json(), samples_table(result))
