"""Inputs: which files a job works on, opened and checked."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from sammed.batch.sources import is_label
from sammed.embeddings.scan import Scan, open_scan
from sammed.errors import AnnotationError, ConfigError, SammedError
from sammed.progress import Reporter
from sammed.skills.model import Skill
from sammed_volumes.errors import VolumeError
from sammed_volumes.formats import read_labels, read_volume, suffix_of
from sammed_volumes.intensity import Window, is_constant
from sammed_volumes.labels import Label, LabelVolume, check_same_grid
from sammed_volumes.slices import Slicing
from sammed_volumes.volume import Volume

DEMO_LABELS = ("right lung", "left lung")


@dataclass(frozen=True, slots=True)
class Pair:
    """An image and its labels."""

    image: Path
    labels: Path


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Put the file's name before what is wrong with it, where the error doesn't say it."""
    try:
        yield
    except (SammedError, VolumeError) as error:
        if str(path) in str(error):
            raise
        raise type(error)(f"{path}: {error}") from error


def demo_pair() -> Pair:
    """The chest CT and its segmentation that the package slicerio ships."""
    data = Path(str(files("slicerio"))) / "data"
    return Pair(data / "CTChest4.nrrd", data / "Segmentation.seg.nrrd")


def find_pair(folder: Path, reporter: Reporter) -> tuple[Pair, bool]:
    """The image and labels in a folder, or the demo's (True) where it has none.

    They are called image* and label*, or are the only files of the folders images/ and labels/; label volumes
    that sammed wrote beside an image are not meant. ConfigError where several could be.
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
    beside = _volumes(folder.glob(f"{name}*"))
    inside = folder / f"{name}s"
    if beside or not inside.is_dir():
        return [path for path in beside if name != "image" or not is_label(path)]
    return _volumes(inside.iterdir())


def _volumes(paths: Iterable[Path]) -> list[Path]:
    """The files that are volumes by their names, in order; hidden ones are some program's own business."""
    return sorted(
        path for path in paths if path.is_file() and suffix_of(path) and not path.name.startswith(".")
    )


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


def labels_of_skill(skill: Skill, labels: LabelVolume) -> tuple[Label, ...]:
    """The skill's labels that a label volume has under the same value.

    AnnotationError where the volume gives one of these values to something else by name.
    """
    counts, by_value = labels.voxel_counts(), {label.value: label for label in labels.labels}
    shown = tuple(label for label in skill.labels if counts.get(label.value))
    for label in shown:
        name, wanted = by_value[label.value].own_name, label.own_name
        if name and wanted and name != wanted:
            raise AnnotationError(
                f"{labels.path} calls the label {label.value} {by_value[label.value].name!r} and the skill "
                f"calls it {label.name!r}; give both one value a structure."
            )
    return shown


def show(volume: Volume, slicing: Slicing, window: Window) -> Scan:
    """The volume through a window; VolumeError where the window shows nothing of it."""
    scan = open_scan(volume, slicing, window)
    if not scan.low < scan.high:
        raise VolumeError(f"{volume.path}: the window {window.low:g}..{window.high:g} shows nothing of it.")
    return scan
