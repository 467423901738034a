"""Types of command line values that click lacks; each function converts text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from sammed.batch.shards import Shard
    from sammed_volumes.dicom.codes import NamedCode


def whole_numbers(text: str) -> tuple[int, ...]:
    """Return whole numbers from text such as "12,40"; "none" means no number."""
    if text == "none":
        return ()
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise click.BadParameter(f"{text!r} is not a list of whole numbers such as 12,40.") from None


def shard(text: str) -> Shard:
    """Return one of several parts, from text such as "3/16"."""
    from sammed.batch.shards import parse_shard
    from sammed.errors import ConfigError

    try:
        return parse_shard(text)
    except ConfigError as error:
        raise click.BadParameter(str(error)) from None


def spacing(text: str) -> tuple[float, float, float]:
    """Return millimeters along X, Y and Z from text such as "0.5,0.5,3"."""
    try:
        x, y, z = (float(part) for part in text.split(","))
    except ValueError:
        raise click.BadParameter(f"{text!r} is not three lengths in mm such as 0.5,0.5,3.") from None
    if not all(0 < length < float("inf") for length in (x, y, z)):
        raise click.BadParameter(f"{text!r} has a length that is not above 0 mm.")
    return x, y, z


def named_code(text: str) -> NamedCode:
    """The code of a label, "liver=T-62000"."""
    from sammed_volumes.dicom.codes import parse_code
    from sammed_volumes.errors import LabelError

    try:
        return parse_code(text)
    except LabelError as error:
        raise click.BadParameter(str(error)) from None


def window(text: str) -> str:
    """Return the text of an intensity window (auto, LOW,HIGH or a preset) after checking it."""
    if text != "auto":
        from sammed_volumes.errors import WindowError
        from sammed_volumes.intensity import parse_window

        try:
            parse_window(text)
        except WindowError as error:
            raise click.BadParameter(str(error)) from None
    return text
