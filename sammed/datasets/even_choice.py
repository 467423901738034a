"""An even choice among ordered things."""

from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")


def choose_evenly(items: Sequence[Item], count: int) -> list[Item]:
    """Return the middles of `count` equal parts, or all items where there are no more than `count`."""
    count = max(0, min(count, len(items)))
    return [items[int((place + 0.5) / count * len(items))] for place in range(count)]
