"""Settings as text, "learning.sap_net.steps=50", to the frozen dataclass that they are meant for."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from sammed.errors import ConfigError

Config = TypeVar("Config")

_WORDS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def configure(config_type: type[Config], settings: Mapping[str, str]) -> Config:
    """The config with these settings, all others as they are made.

    A dot leads into a config within the config. Lists have commas, "none" is None. Raises ConfigError for a
    setting that there isn't, with those that there are, and for a value that it can't have.
    """
    values: dict[str, object] = {}
    parts: dict[str, dict[str, str]] = {}
    hints = get_type_hints(config_type)
    for name, text in settings.items():
        first, _, rest = name.partition(".")
        if first not in hints or (rest and not is_dataclass(hints[first])):
            raise ConfigError(f"There is no setting {name!r}; there are {', '.join(names_of(config_type))}.")
        if rest:
            parts.setdefault(first, {})[rest] = text
        else:
            values[first] = _value(hints[first], text, name)
    for name, part in parts.items():
        values[name] = configure(hints[name], part)
    return config_type(**values)


def names_of(config_type: type[Any]) -> Iterator[str]:
    """The settings of a config, those within it with their dots."""
    hints = get_type_hints(config_type)
    for field in fields(config_type):
        inner = hints[field.name]
        if is_dataclass(inner) and isinstance(inner, type):
            yield from (f"{field.name}.{name}" for name in names_of(inner))
        else:
            yield field.name


def described(config_type: type[Any], settings: Mapping[str, str]) -> dict[str, str]:
    """Every setting with its value as text, for a report; "" where it has to be given."""
    try:
        return dict(_texts(configure(config_type, settings)))
    except ConfigError:
        return {**dict.fromkeys(names_of(config_type), ""), **settings}


def _texts(config: Any, start: str = "") -> Iterator[tuple[str, str]]:
    for field in fields(config):
        value = getattr(config, field.name)
        if is_dataclass(value):
            yield from _texts(value, f"{start}{field.name}.")
        else:
            listed = isinstance(value, tuple)
            yield f"{start}{field.name}", ",".join(map(str, value)) if listed else str(value)


def _value(hint: Any, text: str, name: str) -> object:
    """The text as a value of the type; ConfigError where it is none."""
    kinds = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    if type(None) in kinds and text.strip().casefold() == "none":
        return None
    for kind in kinds:
        if kind is not type(None):
            try:
                return _as(kind, text.strip())
            except ValueError:
                continue
    raise ConfigError(f"{name} can't be {text!r}; it is {_wanted(kinds)}.")


def _as(kind: Any, text: str) -> object:
    if get_origin(kind) is Literal:
        return next((each for each in get_args(kind) if str(each) == text), text)  # the config refuses others
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
