"""Outputs: where the label volumes of a job go."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sammed.errors import ConfigError
from sammed_volumes.errors import OutputError
from sammed_volumes.formats import (
    LABEL_SUFFIXES,
    PICTURE_LABEL_SUFFIX,
    WRITTEN_SUFFIXES,
    is_picture,
    label_suffix_of,
    strip_suffix,
    suffix_of,
)


def beside(image: Path, suffix: str) -> Path:
    """The label volume of an image, or of a DICOM folder: NAME_label beside it."""
    named = image.resolve() if image.name in ("", "..") else image  # the folder may be "."
    return named.with_name(f"{strip_suffix(named)}_label{suffix}")


def is_folder(output: Path) -> bool:
    """Whether an output is a folder of label volumes: a name without the ending of a volume."""
    return not label_suffix_of(output)


def label_file(output: Path, image: Path) -> Path:
    """The same path; ConfigError unless the labels of the image can be written with its ending."""
    if label_suffix_of(output) not in WRITTEN_SUFFIXES:
        raise ConfigError(f"Labels are written as {', '.join(LABEL_SUFFIXES)}, not as {output.name}.")
    if suffix_of(output) == PICTURE_LABEL_SUFFIX and not is_picture(image):
        raise ConfigError(f"{image} is no picture, so its labels can't go into {output.name}; take .nii.gz.")
    return output


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, if need be; OutputError where the system refuses."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(f"The folder {folder} can't be made ({reason}); choose another place.") from error


@contextmanager
def folder_for_output(folder: Path) -> Iterator[None]:
    """A folder as `make_folder` makes it; if the work fails and leaves it empty, it goes again."""
    made = [each for each in (folder, *folder.parents) if not each.exists()]
    make_folder(folder)
    try:
        yield
    except BaseException:
        with suppress(OSError):
            for each in made:
                each.rmdir()
        raise
