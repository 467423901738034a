"""Medical volumes as files, grids and slices: no torch, nothing of sammed.

The names below are imported when they are first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sammed_volumes.errors import VolumeError as VolumeError
    from sammed_volumes.formats import read_labels as read_labels
    from sammed_volumes.formats import read_volume as read_volume
    from sammed_volumes.formats import write_labels as write_labels
    from sammed_volumes.intensity import Window as Window
    from sammed_volumes.intensity import parse_window as parse_window
    from sammed_volumes.labels import Label as Label
    from sammed_volumes.labels import LabelVolume as LabelVolume
    from sammed_volumes.labels import check_same_grid as check_same_grid
    from sammed_volumes.slices import Slicing as Slicing
    from sammed_volumes.slices import plan_slices as plan_slices
    from sammed_volumes.volume import Volume as Volume

__all__ = [
    "Label",
    "LabelVolume",
    "Slicing",
    "Volume",
    "VolumeError",
    "Window",
    "check_same_grid",
    "parse_window",
    "plan_slices",
    "read_labels",
    "read_volume",
    "write_labels",
]

_MODULES = {
    "errors": ("VolumeError",),
    "formats": ("read_labels", "read_volume", "write_labels"),
    "intensity": ("Window", "parse_window"),
    "labels": ("Label", "LabelVolume", "check_same_grid"),
    "slices": ("Slicing", "plan_slices"),
    "volume": ("Volume",),
}
_MODULE_OF = {name: f"{__name__}.{module}" for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULE_OF[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
