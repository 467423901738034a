"""Picture folders: the files of a folder that are the numbered slices of one volume."""

import re
from collections.abc import Sequence
from pathlib import Path

from sammed_volumes.dicom.series import find_series
from sammed_volumes.errors import UnreadableVolumeError, UnsupportedVolumeError
from sammed_volumes.suffixes import is_picture, strip_suffix

_NUMBER = re.compile(r"\d+")
_MOST_NAMED = 10


def pictures_in(folder: Path) -> tuple[Path, ...]:
    """Return the pictures of a folder, not below it, without hidden files and label files of sammed."""
    return tuple(
        path
        for path in sorted(folder.iterdir())
        if is_picture(path)
        and path.is_file()
        and not path.name.startswith(".")
        and not strip_suffix(path).endswith("_label")
    )


def is_stack(folder: Path) -> bool:
    """Whether a folder has several pictures and no DICOM series."""
    return folder.is_dir() and len(pictures_in(folder)) > 1 and not find_series(folder)


def numbered_slices(folder: Path) -> tuple[Path, ...]:
    """Return the slices in the order of their numbers: the one number in which all names differ.

    Raises UnsupportedVolumeError if names differ in anything else, UnreadableVolumeError for missing and
    repeated numbers.
    """
    paths = pictures_in(folder)
    numbers = _numbers(paths)
    by_number = dict(zip(numbers, paths, strict=True))
    if len(by_number) < len(paths):
        twice = next(number for number in numbers if numbers.count(number) > 1)
        raise UnreadableVolumeError(f"it has several slices {twice}; keep one")
    missing = sorted(set(range(min(numbers), max(numbers) + 1)) - set(numbers))
    if missing:
        named = ", ".join(map(str, missing[:_MOST_NAMED])) + (", ..." if len(missing) > _MOST_NAMED else "")
        what = f"slice {named} is" if len(missing) == 1 else f"{len(missing)} slices ({named}) are"
        raise UnreadableVolumeError(f"{what} missing; add what is missing, or number the slices in sequence")
    return tuple(by_number[number] for number in sorted(numbers))


def _numbers(paths: Sequence[Path]) -> list[int]:
    shapes = {_NUMBER.sub("#", path.name.lower()) for path in paths}
    rows = [[int(number) for number in _NUMBER.findall(path.name)] for path in paths]
    varying = [] if len(shapes) > 1 else [i for i, column in enumerate(zip(*rows)) if len(set(column)) > 1]  # noqa: B905
    if len(varying) != 1:
        raise UnsupportedVolumeError(
            "its pictures are not numbered slices of one volume; names must differ in one number only, "
            "as in slice_001.png and slice_002.png"
        )
    return [row[varying[0]] for row in rows]
