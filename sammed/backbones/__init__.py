"""Frozen SAMs. Names are imported when they are first asked for, since torch takes seconds."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sammed.backbones.backbone import Backbone as Backbone
    from sammed.backbones.frame import Frame as Frame
    from sammed.backbones.loading import load_backbone as load_backbone
    from sammed.backbones.registry import BACKBONES as BACKBONES
    from sammed.backbones.registry import BackboneSpec as BackboneSpec

_MODULES = {
    "BACKBONES": "registry",
    "Backbone": "backbone",
    "BackboneSpec": "registry",
    "Frame": "frame",
    "load_backbone": "loading",
}
__all__ = ["BACKBONES", "Backbone", "BackboneSpec", "Frame", "load_backbone"]


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
