"""Errors of sammed, one tree.

SammedError
    ConfigError          a setting is out of range or contradicts another
    CheckpointError      weights are missing, altered or not the expected ones
    SkillError           a skill file is damaged, of another version, or belongs to another backbone
    PromptError          a prompt is empty, outside the slice, or has its corners swapped
    AnnotationError      the annotated slices are not enough to learn what was requested
    ExportError          a data set can't be written as requested
    SetError             a labeled set, or a case of it, is not usable
    StudentError         a student's file is damaged, or the student does not fit the task
    SynthesisError       a diffusion model's file is damaged, or belongs to another training

`sammed_volumes.errors.VolumeError` is a second tree, for files and geometry. Inner code states the fact;
public functions add the file, the shapes and the remedy.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sammed_volumes.errors import VolumeError


class SammedError(Exception):
    """Base of all errors that sammed raises on purpose: one sentence that a user can act on."""


class ConfigError(SammedError, ValueError):
    """A setting is out of range or contradicts another."""


class CheckpointError(SammedError):
    """Weights are missing, altered or not the expected ones."""


class SkillError(SammedError):
    """A skill file is damaged, of another version, or belongs to another backbone."""


class PromptError(SammedError, ValueError):
    """A prompt is empty, outside the slice, or has its corners swapped."""


class AnnotationError(SammedError, ValueError):
    """The annotated slices are not enough to learn what was requested."""


class ExportError(SammedError):
    """A data set can't be written as requested."""


class SetError(SammedError):
    """A labeled set, or a case of it, is not usable."""


class StudentError(SammedError):
    """A student's file is damaged, or the student does not fit the task."""


class SynthesisError(SammedError):
    """A diffusion model's file is damaged, or belongs to another training."""


@contextmanager
def naming(path: Path | None) -> Iterator[None]:
    """Prefix an error with the name of the file, if there is a file and the error does not name it."""
    try:
        yield
    except (SammedError, VolumeError) as error:
        if path is None or str(path) in str(error):
            raise
        raise type(error)(f"{path}: {error}") from error
