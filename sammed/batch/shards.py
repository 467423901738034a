"""Shards: parts of a folder, for schedulers that start the same command many times."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from sammed.errors import ConfigError

Each = TypeVar("Each")


@dataclass(frozen=True, slots=True)
class Shard:
    """Part `number` of `count`, counted from 1; together the parts hold each volume exactly once."""

    number: int
    count: int

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.count:
            raise ConfigError(
                f"There is no shard {self}: {self.count} shards are numbered 1 to {self.count}."
            )

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def of(self, everything: Sequence[Each]) -> list[Each]:
        """Return every `count`-th element from `number` on; the sizes of parts differ by one at most.

        >>> Shard(2, 3).of("abcdefgh")
        ['b', 'e', 'h']
        """
        return list(everything[self.number - 1 :: self.count])


def parse_shard(text: str) -> Shard:
    """Parse a shard such as "3/16"; ConfigError for any other text."""
    match = re.fullmatch(r"(\d+)/(\d+)", text.strip())
    if match is None:
        raise ConfigError(f"A shard looks like 3/16, the third part of sixteen, not like {text!r}.")
    return Shard(int(match[1]), int(match[2]))
