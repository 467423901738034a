"""`sammed demo`: from five annotated slices of a chest CT to a report."""

from __future__ import annotations

from typing import Any

import click

from sammed_cli import options
from sammed_cli.terminal import Terminal


@click.command(short_help="Try sammed on a chest CT that pip installed.")
@click.option(
    "--output", type=options.NEW_FOLDER, default="demo-output", show_default=True, help="Folder to write."
)
@options.encoding_uncached
@options.seed
@options.overwrite
@options.json_output
@click.pass_obj
def demo(terminal: Terminal, /, as_json: bool, **settings: Any) -> None:
    """Learn both lungs of a chest CT from five slices, label the others, and compare with the truth.

    Writes the labels, a picture, report.html, the skill and a manifest.
    """
    from sammed.jobs.demo import DemoRequest
    from sammed.jobs.demo import demo as job

    result = job(DemoRequest(**settings), terminal.reporter)
    summary = f"All files are in {result.output}; open {result.output / 'report.html'}."
    terminal.finish(as_json, result, *result.tables, summary=summary)
