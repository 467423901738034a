"""`sammed doctor`: what works on this machine and what does not."""

from __future__ import annotations

import click

from sammed_cli import options
from sammed_cli.terminal import Terminal


@click.command(short_help="Check what works on this machine.")
@options.json_output
@click.pass_obj
def doctor(terminal: Terminal, /, as_json: bool) -> None:
    """Check packages, devices, weights, folders and disk space; exit 1 if something essential is broken."""
    from sammed.jobs.doctor import DoctorRequest
    from sammed.jobs.doctor import doctor as job

    result = job(DoctorRequest(), terminal.reporter)
    lines = "\n".join(f"{finding.status:<10} {finding.text}" for finding in result.findings)
    terminal.finish(as_json, result, summary="" if as_json else lines, failed=result.is_broken)
