"""KEY=VALUE on the command line, which may be repeated: options and callbacks for click."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, TypeVar

import click

Function = TypeVar("Function", bound=Callable[..., Any])


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


def show_settings(context: click.Context, config: type[Any]) -> None:
    """Print the settings of a config with their defaults and choices, and exit."""
    from sammed.datasets.settings import settings_of

    for setting in settings_of(config):
        choices = f"  ({', '.join(setting.choices)})" if setting.choices else ""
        click.echo(f"{setting.name}={setting.value}{choices}")
    context.exit()


def names(context: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> dict[int, str]:
    """Return names of labels by value."""
    found = settings(context, parameter, given)
    wrong = [key for key in found if not key.isdecimal() or int(key) == 0]
    if wrong:
        raise click.BadParameter(f"{wrong[0]!r} is not a label value; these are whole numbers from 1.")
    return {int(key): name for key, name in found.items()}


def settings_option(help: str, config: str = "") -> Callable[[Function], Function]:
    """Return the option --set KEY=VALUE and, for a config `module:name`, --settings, which lists all."""

    def show(context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
        if wanted:
            module, _, name = config.partition(":")
            show_settings(context, getattr(import_module(module), name))

    def decorate(function: Function) -> Function:
        if config:
            function = click.option(
                "--settings",
                "shown",
                is_flag=True,
                is_eager=True,
                expose_value=False,
                callback=show,
                help="List all settings and exit.",
            )(function)
        return click.option(
            "--set", "settings", multiple=True, callback=settings, metavar="KEY=VALUE", help=help
        )(function)

    return decorate
