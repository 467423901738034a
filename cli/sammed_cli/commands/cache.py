"""`sammed cache`: embeddings and converted networks that are kept on disk."""

from __future__ import annotations

import click

from sammed_cli import options
from sammed_cli.terminal import Terminal


@click.group(short_help="Show or clear the cache.")
def cache() -> None:
    """The cache holds embeddings of slices and networks converted for OpenVINO; sammed can recreate both."""


@cache.command()
@options.json_output
@click.pass_obj
def info(terminal: Terminal, /, as_json: bool) -> None:
    """Show the cache folder, its content and its size limit."""
    from sammed.jobs.cache import CacheInfoRequest, cache_info
    from sammed.reports.report import Table

    found = cache_info(CacheInfoRequest(), terminal.reporter)
    facts = (
        ("embeddings", f"{found.slices} slices of {found.volumes} volumes, {_size(found.embedding_bytes)}"),
        ("at most", _size(found.limit_bytes)),
        ("converted for OpenVINO", f"{found.converted}, {_size(found.converted_bytes)}"),
    )
    terminal.finish(as_json, found, Table("", ("Cache", str(found.folder)), facts))


@cache.command()
@options.json_output
@click.pass_obj
def clear(terminal: Terminal, /, as_json: bool) -> None:
    """Remove embeddings and converted networks, but no other files; exit 1 if some can't be removed."""
    from sammed.jobs.cache import CacheClearRequest, cache_clear

    cleared = cache_clear(CacheClearRequest(), terminal.reporter)
    summary = f"Removed {_size(cleared.removed_bytes)} from {cleared.folder}."
    if cleared.left_bytes:
        summary += f"\n{_size(cleared.left_bytes)} can't be removed; check the permissions."
    terminal.finish(as_json, cleared, summary=summary, failed=cleared.left_bytes > 0)


def _size(count: int) -> str:
    """Return bytes as text, in MB below a GB."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
