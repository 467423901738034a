"""Outputs: where the label volumes of a job go."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sammed.errors import ConfigError
from sammed_volumes.errors import OutputError
from sammed_volumes.formats import (
    PICTURE_LABEL_SUFFIX,
    WRITTEN_SUFFIXES,
    is_picture,
    label_suffix_of,
    strip_suffix,
    suffix_of,
)


def beside(image: Path, suffix: str) -> Path:
    """Return the label volume's path beside an image or a DICOM folder: NAME_label."""
    named = image.resolve() if image.name in ("", "..") else image  # the folder may be "."
    return named.with_name(f"{strip_suffix(named)}_label{suffix}")


def is_folder(output: Path) -> bool:
    """Whether an output is a folder, that is, its name lacks the ending of a volume."""
    return not label_suffix_of(output)


def label_file(output: Path, image: Path) -> Path:
    """Return the path; ConfigError if the image's labels can't be written in the format of its ending."""
    if label_suffix_of(output) not in WRITTEN_SUFFIXES:
        raise ConfigError(f"Labels are written as {', '.join(WRITTEN_SUFFIXES)}, not as {output.name}.")
    if suffix_of(output) == PICTURE_LABEL_SUFFIX and not is_picture(image):
        raise ConfigError(f"{image} is no picture, so its labels can't go into {output.name}; use .nii.gz.")
    return output


def make_folder(folder: Path) -> None:
    """Create a folder and its parents if needed; OutputError if the system refuses."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(
            f"The folder {folder} can't be created ({reason}); choose another place."
        ) from error


@contextmanager
def folder_for_output(folder: Path) -> Iterator[None]:
    """Create a folder as `make_folder` does; remove it again if the block fails and leaves it empty."""
    made = [each for each in (folder, *folder.parents) if not each.exists()]
    make_folder(folder)
    try:
        yield
    except BaseException:
        with suppress(OSError):
            for each in made:
                each.rmdir()
        raise
