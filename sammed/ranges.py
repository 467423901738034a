"""Ranges: what the numbers and words of a config may be; an error names the field."""

from __future__ import annotations

from typing import Any, get_args, get_type_hints

from sammed.errors import ConfigError


def check_words(config: Any, *names: str) -> None:
    """These fields have one of the words of their type, a Literal."""
    hints = get_type_hints(type(config))
    for name in names:
        known, word = get_args(hints[name]), getattr(config, name)
        if word not in known:
            raise ConfigError(f"{name} is {word!r}; use one of {', '.join(known)}.")


def check_least(config: Any, least: int, *names: str) -> None:
    """These fields are `least` or more."""
    for name in names:
        if not getattr(config, name) >= least:
            raise ConfigError(f"{name} is {getattr(config, name)}; it must be {least} or more.")


def check_positive(config: Any, *names: str) -> None:
    """These fields are above 0."""
    for name in names:
        if not getattr(config, name) > 0:
            raise ConfigError(f"{name} is {getattr(config, name)}; it must be above 0.")


def check_shares(config: Any, *names: str) -> None:
    """These fields are from 0 to below 1."""
    for name in names:
        if not 0 <= getattr(config, name) < 1:
            raise ConfigError(f"{name} is {getattr(config, name)}; it must be from 0 to below 1.")
