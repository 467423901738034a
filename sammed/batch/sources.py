"""Sources: the volumes that files, folders, patterns and lists name.

A source is one volume: a file, one series of a folder of DICOM files, or one sub-volume of a series. It
remembers its place below the folder that the user named, so that the tree of outputs can mirror the tree of
inputs.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sammed.errors import ConfigError
from sammed_volumes.dicom.series import DicomSeries, find_series
from sammed_volumes.formats import strip_suffix, suffix_of
from sammed_volumes.picture_folder import is_stack

_NO_NAME = re.compile(r"[^\w.-]")


@dataclass(frozen=True, slots=True)
class Source:
    """One volume. `series` is the UID of a series in the DICOM folder `image`, or the user's choice.

    A sub-volume of a series that holds several is `UID:2`.

    `below` is its folder relative to the one that the user named. Outputs are named after `name`; two volumes
    of a folder share it only if their files differ in nothing but the ending.
    """

    image: Path
    name: str
    below: Path = Path()
    series: str | None = None


@dataclass(frozen=True, slots=True)
class Sources:
    """All volumes, each once, in order; `is_batch` unless the user named exactly one volume.

    `root` is the folder of a batch: the one that the user named, or the innermost common one. `notes` are
    sentences for the user.
    """

    found: tuple[Source, ...]
    is_batch: bool
    root: Path
    notes: tuple[str, ...] = ()


def find_sources(
    inputs: Sequence[Path], lists: Sequence[Path] = (), series: str | None = None, *, stack: bool = False
) -> Sources:
    """Find the volumes of `inputs` (files, folders, patterns with * and ?) and of the text files `lists`.

    `series` chooses in every DICOM folder; without it each series is a source, and so is each of its
    sub-volumes if it has several. With `stack` each folder
    of pictures is one source, else each picture. A path that doesn't exist and a folder without volumes are
    sources too: reading them reports the error. Raises ConfigError for a pattern without a match, and for a
    list that can't be read or is empty.
    """
    named = [each for path in inputs for each in _expanded(path)] + [
        each for path in lists for each in _listed(path)
    ]
    found = tuple(
        dict.fromkeys(source for path, root in named for source in _sources(path, root, series, stack))
    )
    single = len(inputs) == 1 and not lists and named[0][0] == inputs[0]
    is_batch = not (single and [source.image for source in found] == [inputs[0]])
    return Sources(found, is_batch, _common([root for _, root in named]), _notes(found))


def is_label(path: Path) -> bool:
    """Whether a file is a label volume by its name (NAME_label.*), so not an image."""
    return strip_suffix(path).endswith("_label") or suffix_of(path) == ".seg.nrrd"


def _expanded(path: Path) -> list[tuple[Path, Path]]:
    """Return the path, or the matches of a pattern, each with the folder that its place is relative to."""
    if path.exists() or not glob.has_magic(str(path)):
        return [(path, path if path.is_dir() else path.parent)]
    fixed = next(place for place, part in enumerate(path.parts) if glob.has_magic(part))
    root, pattern = Path(*path.parts[:fixed]), str(Path(*path.parts[fixed:]))
    images = [each for each in sorted(root.glob(pattern)) if _may_match(each, root)]
    if not images:
        raise ConfigError(f"No volume and no folder matches {path}.")
    return [(each, root) for each in images]


def _may_match(path: Path, root: Path) -> bool:
    if any(part.startswith(".") for part in path.relative_to(root).parts):
        return False
    return path.is_dir() or bool(suffix_of(path) and not is_label(path))


def _listed(path: Path) -> list[tuple[Path, Path]]:
    """Read the paths in a list, one per line; empty lines and lines that start with # are ignored."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"The list {path} can't be read ({error}); give a text file with one path per line."
        ) from error
    paths = [Path(line.strip()) for line in lines if line.strip() and not line.lstrip().startswith("#")]
    if not paths:
        raise ConfigError(f"The list {path} is empty; write one path per line.")
    root = _common([each if each.is_dir() else each.parent for each in paths])
    return [(each, root) for each in paths]


def _common(folders: Iterable[Path]) -> Path:
    """Return the innermost common folder; a single folder as the user named it."""
    distinct = list(dict.fromkeys(folders))
    if len(distinct) == 1:
        return distinct[0]
    return Path(os.path.commonpath([_absolute(each) for each in distinct]))


def _sources(path: Path, root: Path, series: str | None, stack: bool) -> Iterator[Source]:
    if not path.is_dir():
        yield Source(path, strip_suffix(path), _below(path, root))
        return
    found = [source for folder in _folders(path) for source in _in_folder(folder, root, series, stack)]
    # The order of Python's paths, part by part: files and folders of a folder are mixed.
    yield from sorted(found, key=lambda each: each.image) or [_whole_folder(path, root, series)]


def _in_folder(folder: Path, root: Path, series: str | None, stack: bool) -> Iterator[Source]:
    if stack and is_stack(folder):
        yield _whole_folder(folder, root, None)
        return
    yield from _files(folder, root)
    yield from _series(folder, root, series)


def _folders(path: Path) -> Iterator[Path]:
    for folder, below, _files_in_it in os.walk(path):
        below[:] = sorted(name for name in below if not name.startswith("."))
        yield Path(folder)


def _files(folder: Path, root: Path) -> Iterator[Source]:
    for path in sorted(folder.iterdir()):
        if path.is_file() and suffix_of(path) and not path.name.startswith(".") and not is_label(path):
            yield Source(path, strip_suffix(path), _below(path, root))


def _series(folder: Path, root: Path, series: str | None) -> Iterator[Source]:
    found = find_series(folder)
    if found and (series is not None or (len(found) == 1 and len(found[0].volumes) <= 1)):
        yield _whole_folder(folder, root, series or found[0].uid or None)
        return
    for each in found:
        for word, chosen in _volumes(each):
            name = f"{_name_of(folder)}_{_NO_NAME.sub('_', word)}"
            yield Source(folder, name, _below(folder, root), chosen)


def _volumes(series: DicomSeries) -> Iterator[tuple[str, str]]:
    """The word and the choice for each volume of a series: itself, or its sub-volumes if it has several."""
    if len(series.volumes) <= 1:
        yield series.key, series.uid
        return
    for number in series.volumes:
        yield series.key_of(number), f"{series.uid}:{number}"


def _whole_folder(folder: Path, root: Path, series: str | None) -> Source:
    return Source(folder, _name_of(folder), _below(folder, root), series)


def _name_of(folder: Path) -> str:
    return strip_suffix(folder.resolve() if folder.name in ("", "..") else folder)


def _below(image: Path, root: Path) -> Path:
    absolute, base = _absolute(image), _absolute(root)
    return Path() if absolute == base else absolute.parent.relative_to(base)


def _absolute(path: Path) -> Path:
    """Return the absolute path without `..`; links are not followed, since a link's own place counts."""
    return Path(os.path.abspath(path))  # noqa: PTH100


def _notes(found: Sequence[Source]) -> tuple[str, ...]:
    """Return a note for each series in several folders: each part would be labeled as a whole series."""
    folders: dict[str, dict[Path, None]] = {}
    for source in found:
        uid = (source.series or "").partition(":")[0]
        if uid.count(".") > 1:  # no number, which the user chose
            folders.setdefault(uid, {})[source.image] = None
    return tuple(
        f"The series {uid} is spread over {len(images)} folders, such as "
        f"{' and '.join(map(str, list(images)[:2]))}; each folder is labeled as a series of its own."
        for uid, images in folders.items()
        if len(images) > 1
    )
