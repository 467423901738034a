"""Validation: what requests check before a file is opened. No torch here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sammed.errors import ConfigError

SKILL_SUFFIX = ".safetensors"


def check_slices(slices: int | None, slice_index: Sequence[int], empty_slices: Sequence[int]) -> None:
    """Annotated slices are drawn or named, not both; see `check_indices`."""
    if slices is not None and slice_index:
        raise ConfigError(
            "Say how many slices to draw (--slices) or which ones to take (--slice-index), not both."
        )
    if slices is not None and slices < 1:
        raise ConfigError(f"It takes one annotated slice or more to learn from, not {slices}.")
    check_indices("Annotated slices", slice_index)
    check_indices("Empty slices", empty_slices)


def check_indices(what: str, indices: Sequence[int]) -> None:
    """Slices are counted from 0 and each is named once."""
    if any(index < 0 for index in indices):
        raise ConfigError(f"{what} are counted from 0; there is no slice {min(indices)}.")
    twice = sorted({index for index in indices if indices.count(index) > 1})
    if twice:
        raise ConfigError(f"{what} name {', '.join(map(str, twice))} twice.")


def check_word(what: str, word: str, known: Sequence[str]) -> None:
    """The word is one of those that are known."""
    if word not in known:
        raise ConfigError(f"There is no {what} {word!r}; there are {', '.join(known)}.")


def check_axis(axis: int | None) -> None:
    """The slice axis is 0, 1, 2, or None for automatic."""
    if axis not in (None, 0, 1, 2):
        raise ConfigError(f"The slice axis must be 0, 1 or 2, not {axis}.")


def check_seed(seed: int) -> None:
    """A seed is 0 or more."""
    if seed < 0:
        raise ConfigError(f"A seed is 0 or more, not {seed}.")


def check_skill(path: Path) -> None:
    """The file of a skill has its ending."""
    if path.suffix.lower() != SKILL_SUFFIX:
        raise ConfigError(f"A skill's name ends in {SKILL_SUFFIX}; {path} does not.")
