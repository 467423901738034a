"""Values on the command line that click has no type for; each function turns text into one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from sammed.batch.shards import Shard
    from sammed_volumes.dicom.codes import NamedCode


def whole_numbers(text: str) -> tuple[int, ...]:
    """Whole numbers with commas between them, "12,40"; "none" is no number at all."""
    if text == "none":
        return ()
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise click.BadParameter(f"{text!r} is no list of whole numbers such as 12,40.") from None


def shard(text: str) -> Shard:
    """One part of many, "3/16"."""
    from sammed.batch.shards import parse_shard
    from sammed.errors import ConfigError

    try:
        return parse_shard(text)
    except ConfigError as error:
        raise click.BadParameter(str(error)) from None


def named_code(text: str) -> NamedCode:
    """The code of a label, "liver=T-62000"."""
    from sammed_volumes.dicom.codes import parse_code
    from sammed_volumes.errors import LabelError

    try:
        return parse_code(text)
    except LabelError as error:
        raise click.BadParameter(str(error)) from None


def window(text: str) -> str:
    """An intensity window, auto, LOW,HIGH or the name of a preset, once it is known to be one."""
    if text != "auto":
        from sammed_volumes.errors import WindowError
        from sammed_volumes.intensity import parse_window

        try:
            parse_window(text)
        except WindowError as error:
            raise click.BadParameter(str(error)) from None
    return text
