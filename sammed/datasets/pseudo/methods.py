"""The methods by name. A method is imported on first use; a new one adds one entry.

`config` names a frozen dataclass whose fields are the method's settings. `maker` names a function or class
that takes the config and `Tools` and returns a `PseudoLabeler`.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from sammed.errors import ConfigError

if TYPE_CHECKING:
    from sammed.datasets.pseudo.pseudo_labeler import PseudoLabeler, Tools


@dataclass(frozen=True, slots=True)
class Method:
    """Where a method is (`module:name`), one line about it for --help, and whether it learns from gold."""

    config: str
    maker: str
    summary: str
    needs_gold: bool = True


METHODS: dict[str, Method] = {
    "assist": Method(
        "sammed.datasets.pseudo.assist:AssistLabelConfig",
        "sammed.datasets.pseudo.assist:AssistLabeler",
        "decode prompts from files, or simulated ones, with the backbone",
        needs_gold=False,
    ),
    "auto": Method(
        "sammed.datasets.pseudo.auto:AutoLabelConfig",
        "sammed.datasets.pseudo.auto:AutoLabeler",
        "SAM^Med: train a skill on the gold cases",
    ),
    "coarse": Method(
        "sammed.datasets.pseudo.coarse.config:CoarseConfig",
        "sammed.datasets.pseudo.coarse.pseudo_labeler:CoarseLabeler",
        "Auto-Generate-WLs: a student's coarse labels prompt the backbone",
    ),
    "samdsk": Method(
        "sammed.datasets.pseudo.samdsk.config:SamDskConfig",
        "sammed.datasets.pseudo.samdsk.pseudo_labeler:SamDskLabeler",
        "SamDSK: match proposals of the backbone with a student's maps, round by round",
    ),
    "cam": Method(
        "sammed.datasets.pseudo.cam.config:CamConfig",
        "sammed.datasets.pseudo.cam.pseudo_labeler:CamLabeler",
        "class activation maps of a classifier prompt the backbone",
    ),
}


def method(name: str) -> Method:
    """Return the method of that name. Raises ConfigError where there is none."""
    if name not in METHODS:
        raise ConfigError(f"There is no pseudo-labeler {name!r}; use one of {', '.join(METHODS)}.")
    return METHODS[name]


def config_type(name: str) -> type[Any]:
    """Return the frozen dataclass of a method's settings."""
    found: type[Any] = _named(method(name).config)
    return found


def make_labeler(name: str, config: object, tools: Tools) -> PseudoLabeler:
    """Return the method of that name with its config."""
    labeler: PseudoLabeler = _named(method(name).maker)(config, tools)
    return labeler


def _named(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)
