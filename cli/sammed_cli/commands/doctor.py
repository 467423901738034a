"""`sammed doctor`: what works on this machine and what does not."""

from __future__ import annotations

import click

from sammed_cli import options
from sammed_cli.failures import FAILED


@click.command(short_help="Say what works on this machine.")
@options.json_output
@click.pass_context
def doctor(context: click.Context, /, as_json: bool) -> None:
    """Check packages, devices, weights, folders and space; exit 1 if something essential is broken."""
    from sammed.jobs.checking import check_machine

    checkup = check_machine()
    if not as_json:
        for finding in checkup.findings:
            context.obj.say(f"{finding.status:<10} {finding.text}")
    context.obj.answer(as_json, checkup.to_json())
    if checkup.is_broken:
        context.exit(FAILED)
