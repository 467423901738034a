"""Settings given as text, "learning.sap_net.steps=50", for a frozen dataclass."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from sammed.errors import ConfigError

Config = TypeVar("Config")

_RENAMED = {"optimiser": "optimizer"}  # codespell:ignore optimiser
_WORDS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def configure(config_type: type[Config], settings: Mapping[str, str]) -> Config:
    """Return the config with these settings; all others keep their defaults.

    A dot leads into a nested config. Items of a list are separated by commas, and "none" is None. Raises
    ConfigError for an unknown setting, with the known ones, and for a value out of place.
    """
    values: dict[str, object] = {}
    parts: dict[str, dict[str, str]] = {}
    hints = get_type_hints(config_type)
    for name, text in settings.items():
        first, _, rest = name.partition(".")
        first = _RENAMED.get(first, first)
        if first not in hints or (rest and not is_dataclass(hints[first])):
            known = ", ".join(each.name for each in settings_of(config_type))
            raise ConfigError(f"There is no setting {name!r}; the settings are {known}.")
        if rest:
            parts.setdefault(first, {})[rest] = text
        else:
            values[first] = _value(hints[first], text, name)
    for name, part in parts.items():
        values[name] = configure(hints[name], part)
    return config_type(**values)


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: its default as text, "" where it is required, and its `choices` where there are few."""

    name: str
    value: str
    choices: tuple[str, ...] = ()


def settings_of(config_type: type[Any], config: Any = None, start: str = "") -> Iterator[Setting]:
    """Yield the settings of a config; nested ones have dotted names, which `start` begins.

    The values are those of `config`; None takes the fields' defaults.
    """
    hints = get_type_hints(config_type)
    for field in fields(config_type):
        hint, name = hints[field.name], f"{start}{field.name}"
        value = _default(field) if config is None else getattr(config, field.name)
        if is_dataclass(hint) and isinstance(hint, type):
            yield from settings_of(hint, None if value is MISSING else value, f"{name}.")
        else:
            yield Setting(name, _text(value), _choices(hint))


def _default(field: Field[Any]) -> object:
    return field.default if field.default_factory is MISSING else field.default_factory()


def _text(value: object) -> str:
    """Return a value as text that `configure` reads."""
    if value is MISSING:
        return ""
    if isinstance(value, tuple):
        return ",".join(map(_text, value))
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    return str(value)


def _choices(hint: Any) -> tuple[str, ...]:
    if get_origin(hint) is Literal:
        return tuple(map(str, get_args(hint)))
    return ("yes", "no") if hint is bool else ()


def _value(hint: Any, text: str, name: str) -> object:
    """Return the text as a value of the type. Raises ConfigError where that is not possible."""
    kinds = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    if type(None) in kinds and text.strip().casefold() == "none":
        return None
    for kind in kinds:
        if kind is not type(None):
            try:
                return _as(kind, text.strip())
            except ValueError:
                continue
    raise ConfigError(f"{name} can't be {text!r}; use {_wanted(kinds)}.")


def _as(kind: Any, text: str) -> object:
    if get_origin(kind) is Literal:
        return next((each for each in get_args(kind) if str(each) == text), text)  # the config rejects others
    if get_origin(kind) is tuple:
        return tuple(_as(get_args(kind)[0], part.strip()) for part in text.split(",") if part.strip())
    if kind is bool:
        if text.casefold() not in _WORDS:
            raise ValueError(text)
        return _WORDS[text.casefold()]
    if kind in (int, float, str, Path):
        converted: object = kind(text)
        return converted
    raise ValueError(text)


def _wanted(kinds: tuple[Any, ...]) -> str:
    return " or ".join(
        "none" if kind is type(None) else getattr(kind, "__name__", str(kind)) for kind in kinds
    )
