"""KEY=VALUE on the command line, which may be repeated; callbacks for click."""

from __future__ import annotations

import click


def settings(_context: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    """Return settings by name; raises BadParameter if a name comes twice."""
    found: dict[str, str] = {}
    for text in given:
        key, sign, value = text.partition("=")
        key = key.strip()
        if not (sign and key):
            raise click.BadParameter(f"{text!r} is not {parameter.metavar}.")
        if key in found:
            raise click.BadParameter(f"{key} is given twice.")
        found[key] = value.strip()
    return found


def names(context: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> dict[int, str]:
    """Return names of labels by value."""
    found = settings(context, parameter, given)
    wrong = [key for key in found if not key.isdecimal() or int(key) == 0]
    if wrong:
        raise click.BadParameter(f"{wrong[0]!r} is not a label value; these are whole numbers from 1.")
    return {int(key): name for key, name in found.items()}
