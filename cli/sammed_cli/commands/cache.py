"""`sammed cache`: what was encoded and converted once, kept on disk to be used again."""

from __future__ import annotations

import click

from sammed_cli import options
from sammed_cli.failures import FAILED
from sammed_cli.terminal import Terminal


@click.group(short_help="Look at what is kept to be used again, or remove it.")
def cache() -> None:
    """Embeddings of slices, and networks converted for OpenVINO: all of it can be made again."""


@cache.command()
@options.json_output
@click.pass_obj
def info(terminal: Terminal, /, as_json: bool) -> None:
    """Say where the cache lies, how much is in it, and how much may be."""
    from sammed.jobs.caching import cache_content
    from sammed.reports.report import Table

    found = cache_content()
    facts = (
        ("embeddings", f"{found.slices} slices of {found.volumes} volumes, {_size(found.embedding_bytes)}"),
        ("at most", _size(found.limit_bytes)),
        ("converted for OpenVINO", f"{found.converted}, {_size(found.converted_bytes)}"),
    )
    terminal.answer(as_json, found.to_json(), Table("", ("Cache", str(found.folder)), facts))


@cache.command()
@options.json_output
@click.pass_context
def clear(context: click.Context, /, as_json: bool) -> None:
    """Remove embeddings and converted networks; what else lies in the folder stays. Exit 1 if some stayed."""
    from sammed.jobs.caching import clear_cache

    cleared = clear_cache()
    context.obj.answer(as_json, cleared.to_json())
    context.obj.say(f"Removed {_size(cleared.removed_bytes)} from {cleared.folder}.")
    if cleared.left_bytes:
        context.obj.say(f"{_size(cleared.left_bytes)} can't be removed; see who may write there.")
        context.exit(FAILED)


def _size(count: int) -> str:
    """Bytes for a person: MB below a GB."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
