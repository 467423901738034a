"""Inputs: which files a job works on, opened and checked."""

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from sammed.embeddings.scan import Scan, open_scan
from sammed.errors import ConfigError
from sammed.progress import Reporter
from sammed_volumes.errors import VolumeError
from sammed_volumes.formats import VOLUME_SUFFIXES, read_labels, read_volume, suffix_of
from sammed_volumes.intensity import Window, is_constant
from sammed_volumes.labels import LabelVolume, check_same_grid
from sammed_volumes.slices import Slicing
from sammed_volumes.volume import Volume

DEMO_LABELS = ("right lung", "left lung")


@dataclass(frozen=True, slots=True)
class Pair:
    """An image and its labels."""

    image: Path
    labels: Path


def demo_pair() -> Pair:
    """The chest CT and its segmentation that the package slicerio ships."""
    data = Path(str(files("slicerio"))) / "data"
    return Pair(data / "CTChest4.nrrd", data / "Segmentation.seg.nrrd")


def find_pair(folder: Path, reporter: Reporter) -> tuple[Pair, bool]:
    """The image and labels in a folder, or the demo's (True) where it has none.

    They are called image* and label*, or are the only files of the folders images/ and labels/. ConfigError
    where several could be meant.
    """
    images, labels = _candidates(folder, "image"), _candidates(folder, "label")
    if not images and not labels:
        reporter.message("There is no image* and label* in this folder; learning from the demo's chest CT.")
        return demo_pair(), True
    for found, name in ((images, "image"), (labels, "label")):
        if len(found) != 1:
            some = ", ".join(path.name for path in found) or "none"
            raise ConfigError(f"{folder} should hold one {name}* file, but there is {some}; name the files.")
    reporter.message(f"Learning from {images[0].name} and {labels[0].name}.")
    return Pair(images[0], labels[0]), False


def _candidates(folder: Path, name: str) -> list[Path]:
    beside = [path for path in sorted(folder.glob(f"{name}*")) if path.is_file() and suffix_of(path)]
    inside = folder / f"{name}s"
    if beside or not inside.is_dir():
        return beside
    return [path for path in sorted(inside.iterdir()) if suffix_of(path)]


def open_volume(path: Path, series: str | None, reporter: Reporter) -> Volume:
    """Read a volume, say how many of its values are no numbers, refuse one that shows nothing."""
    volume = read_volume(path, series=series)
    if volume.non_finite_count:
        reporter.message(
            f"{path}: {volume.non_finite_count} values are NaN or infinite; "
            f"they count as background ({volume.background:g})."
        )
    if is_constant(volume):
        raise VolumeError(f"{path}: every voxel has the same value, so there is nothing to see in it.")
    return volume


def open_labels(path: Path, volume: Volume, *, flatten: bool) -> LabelVolume:
    """Read labels that lie on the volume's grid and are not empty."""
    labels = read_labels(path, flatten=flatten)
    check_same_grid(volume, labels)
    if labels.is_empty:
        raise VolumeError(f"{path} is empty: no voxel has a label.")
    return labels


def show(volume: Volume, slicing: Slicing, window: Window) -> Scan:
    """The volume through a window; VolumeError where the window shows nothing of it."""
    scan = open_scan(volume, slicing, window)
    if not scan.low < scan.high:
        raise VolumeError(f"{volume.path}: the window {window.low:g}..{window.high:g} shows nothing of it.")
    return scan


def images_in(path: Path) -> list[Path]:
    """The images that a path means: itself, a DICOM folder itself, or all volumes in a folder and below it.

    Label volumes that sammed wrote (NAME_label.*) are no images.
    """
    if not path.is_dir():
        return [path]
    found = sorted(each for each in path.rglob("*") if each.is_file() and suffix_of(each) in VOLUME_SUFFIXES)
    return [each for each in found if not _is_label(each)] or [path]


def _is_label(path: Path) -> bool:
    return path.name[: -len(suffix_of(path))].endswith("_label") or suffix_of(path) == ".seg.nrrd"
