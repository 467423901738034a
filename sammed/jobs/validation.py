"""Validation: what requests check before a file is opened. Does not import torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sammed.errors import ConfigError

MODEL_SUFFIX = ".safetensors"
"""The file extension of skills, students and diffusion models."""


def check_slices(slices: int | None, slice_index: Sequence[int], empty_slices: Sequence[int]) -> None:
    """Annotated slices are sampled or named, not both; see `check_indices`."""
    if slices is not None and slice_index:
        raise ConfigError(
            "Choose the number of annotated slices (--slices) or their indices (--slice-index), not both."
        )
    if slices is not None and slices < 1:
        raise ConfigError(f"Learning takes one annotated slice or more, not {slices}.")
    check_indices("Annotated slices", slice_index)
    check_indices("Empty slices", empty_slices)


def check_indices(what: str, indices: Sequence[int]) -> None:
    """Slice indices start at 0 and are distinct."""
    if any(index < 0 for index in indices):
        raise ConfigError(f"{what} are counted from 0; there is no slice {min(indices)}.")
    twice = sorted({index for index in indices if indices.count(index) > 1})
    if twice:
        raise ConfigError(f"{what} name {', '.join(map(str, twice))} twice.")


def check_word(what: str, word: str, known: Sequence[str]) -> None:
    """The word is one of the known ones."""
    if word not in known:
        raise ConfigError(f"There is no {what} {word!r}; choose one of {', '.join(known)}.")


def check_axis(axis: int | None) -> None:
    """The slice axis is 0, 1, 2, or None for automatic."""
    if axis not in (None, 0, 1, 2):
        raise ConfigError(f"The slice axis must be 0, 1 or 2, not {axis}.")


def check_seed(seed: int) -> None:
    """A seed is 0 or more."""
    if seed < 0:
        raise ConfigError(f"A seed is 0 or more, not {seed}.")


def check_model(what: str, path: Path) -> None:
    """The file of a skill, a student or a diffusion model has its extension."""
    if path.suffix.lower() != MODEL_SUFFIX:
        raise ConfigError(f"The file name of a {what} ends in {MODEL_SUFFIX}; {path} does not.")


def check_folder(path: Path) -> None:
    """The output is a folder: its name has no extension."""
    if path.suffix:
        raise ConfigError(f"The output must be a folder, but {path} looks like a file.")


def check_replaced(what: str, output: Path | None, path: Path, overwrite: bool) -> None:
    """Without an output the input is replaced, which must be allowed."""
    if output is None and not overwrite:
        raise ConfigError(
            f"Say where the new {what} goes (--output), or allow replacing {path} (--overwrite)."
        )
