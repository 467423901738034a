"""Shards: one part of a folder, for schedulers that start the same command many times."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from sammed.errors import ConfigError

Each = TypeVar("Each")


@dataclass(frozen=True, slots=True)
class Shard:
    """Part `number` of `count`, counted from 1; `count` parts make the whole and none shares a volume."""

    number: int
    count: int

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.count:
            raise ConfigError(f"There is no shard {self}: shards of {self.count} count from 1 to it.")

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def of(self, everything: Sequence[Each]) -> list[Each]:
        """The part, every `count`-th: parts differ by one at most, and neighbors fall apart.

        >>> Shard(2, 3).of("abcdefgh")
        ['b', 'e', 'h']
        """
        return list(everything[self.number - 1 :: self.count])


def parse_shard(text: str) -> Shard:
    """The shard that "3/16" means; ConfigError for anything else."""
    match = re.fullmatch(r"(\d+)/(\d+)", text.strip())
    if match is None:
        raise ConfigError(f"A shard is given as 3/16, the third part of sixteen, not as {text!r}.")
    return Shard(int(match[1]), int(match[2]))
