"""Errors of sammed, one tree.

SammedError
    ConfigError          a setting is out of range or contradicts another
    CheckpointError      weights are missing, altered or not what they should be
    SkillError           a skill file is damaged, of another version, or belongs to another backbone
    PromptError          a prompt is empty, outside the slice, or inside out
    AnnotationError      the annotated slices can't teach what was asked for
    ExportError          a data set can't be written as asked
    SetError             a labeled set, or a case of it, is not usable
    StudentError         a student's file is damaged, or the student does not fit what it is asked for
    SynthesisError       a diffusion model's file is damaged, or belongs to another training

`sammed_volumes.errors.VolumeError` is the tree beside it, for files and geometry.
Deep code states the fact; the public edge adds the file, the shapes and the remedy.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sammed_volumes.errors import VolumeError


class SammedError(Exception):
    """Base of everything that sammed raises on purpose: one sentence that a user can act on."""


class ConfigError(SammedError, ValueError):
    """A setting is out of range or contradicts another."""


class CheckpointError(SammedError):
    """Weights are missing, altered or not what they should be."""


class SkillError(SammedError):
    """A skill file is damaged, of another version, or belongs to another backbone."""


class PromptError(SammedError, ValueError):
    """A prompt is empty, outside the slice, or inside out."""


class AnnotationError(SammedError, ValueError):
    """The annotated slices can't teach what was asked for."""


class ExportError(SammedError):
    """A data set can't be written as asked."""


class SetError(SammedError):
    """A labeled set, or a case of it, is not usable."""


class StudentError(SammedError):
    """A student's file is damaged, or the student does not fit what it is asked for."""


class SynthesisError(SammedError):
    """A diffusion model's file is damaged, or belongs to another training."""


@contextmanager
def naming(path: Path | None) -> Iterator[None]:
    """Put the file's name before what is wrong with it, where there is a file and the error lacks it."""
    try:
        yield
    except (SammedError, VolumeError) as error:
        if path is None or str(path) in str(error):
            raise
        raise type(error)(f"{path}: {error}") from error
