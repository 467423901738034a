from .errors import VolumeError as VolumeError
from .formats import read_labels as read_labels
from .formats import read_volume as read_volume
from .formats import write_labels as write_labels
from .intensity import Window as Window
from .intensity import parse_window as parse_window
from .labels import Label as Label
from .labels import LabelVolume as LabelVolume
from .labels import check_same_grid as check_same_grid
from .placing import labels_on as labels_on
from .slices import Slicing as Slicing
from .slices import plan_slices as plan_slices
from .volume import Volume as Volume

__all__ = [
    "Label",
    "LabelVolume",
    "Slicing",
    "Volume",
    "VolumeError",
    "Window",
    "check_same_grid",
    "labels_on",
    "parse_window",
    "plan_slices",
    "read_labels",
    "read_volume",
    "write_labels",
]
