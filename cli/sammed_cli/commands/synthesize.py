"""`sammed synthesize`: train a diffusion model on a labeled set, and sample images from it."""

from __future__ import annotations

from typing import Any

import click

from sammed_cli import assignments, options
from sammed_cli.terminal import Terminal


@click.group(short_help="Make synthetic images with a diffusion model.")
def synthesize() -> None:
    """Learn the appearance of a set's pictures, and sample new ones.

    Synthetic images show no patient, but a model of few pictures may reproduce them: share it only if you may
    share the pictures.
    """


@synthesize.command()
@click.argument("labeled_set", type=options.EXISTING, metavar="SET")
@assignments.settings_option(
    "A setting such as image_size=64, width=32, steps=5000; may be repeated. --settings lists all.",
    "sammed.datasets.synthesis.config:DiffusionConfig",
)
@click.option(
    "--output",
    type=options.NEW_FILE,
    default="diffusion.safetensors",
    show_default=True,
    help="Model to write.",
)
@options.seed
@options.device
@options.overwrite
@options.json_output
@click.pass_obj
def train(terminal: Terminal, /, as_json: bool, **settings: Any) -> None:
    """Learn from all pictures of the training cases of SET, labeled or not.

    The default settings are the paper's and need a GPU; on a CPU use image_size=64 and width=32. After an
    interruption the same command resumes the training.
    """
    from sammed.jobs.synthesize.train import SynthesizeTrainRequest, synthesize_train
    from sammed_cli.set_reports import problem_tables
    from sammed_cli.synthesis_reports import model_table

    result = synthesize_train(SynthesizeTrainRequest(**settings), terminal.reporter)
    tables = model_table(result), *problem_tables(result.problems)
    terminal.finish(as_json, result, *tables, failed=bool(result.problems))


@synthesize.command()
@click.argument("model", type=options.EXISTING_FILE, metavar="MODEL")
@click.option("--count", type=click.IntRange(min=1), required=True, metavar="N", help="Number of pictures.")
@click.option("--output", type=options.NEW_FOLDER, required=True, help="Folder to write.")
@click.option(
    "--gold",
    type=options.EXISTING,
    metavar="SET",
    help="Write a set for `sammed pseudo-label`: the gold cases of SET, and the pictures.",
)
@click.option(
    "--steps",
    type=click.IntRange(min=1),
    metavar="N",
    help="Steps from noise to picture; fewer are faster and less varied.  [default: the model's, 1000]",
)
@click.option("--batch-size", type=click.IntRange(min=1), default=4, show_default=True, help="Batch size.")
@options.seed
@options.device
@options.overwrite
@options.json_output
@click.pass_obj
def sample(terminal: Terminal, /, as_json: bool, **settings: Any) -> None:
    """Sample pictures from MODEL, which `sammed synthesize train` wrote."""
    from sammed.jobs.synthesize.sample import SynthesizeSampleRequest, synthesize_sample
    from sammed_cli.synthesis_reports import samples_table

    result = synthesize_sample(SynthesizeSampleRequest(**settings), terminal.reporter)
    terminal.finish(as_json, result, samples_table(result))
