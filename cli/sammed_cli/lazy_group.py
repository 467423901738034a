"""A group of commands that are imported on demand."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click


class LazyGroup(click.Group):
    """A group whose commands are `module:function`, in the given order.

    `former_names` still work, but are not shown.
    """

    def __init__(
        self,
        *args: Any,
        lazy_commands: Mapping[str, str],
        former_names: Mapping[str, str] | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(*args, **settings)
        self._lazy_commands = dict(lazy_commands)
        self._former_names = dict(former_names or {})

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands."""
        return [*self._lazy_commands, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return the command of that name; None if there is none."""
        cmd_name = self._former_names.get(cmd_name, cmd_name)
        if cmd_name not in self._lazy_commands:
            return super().get_command(ctx, cmd_name)
        module, _, function = self._lazy_commands[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), function)
        return command
