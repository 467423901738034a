"""Shards: together they hold everything, and no two share a volume."""

import pytest

from sammed.batch.shards import Shard, parse_shard
from sammed.errors import ConfigError


@pytest.mark.parametrize("length", [0, 1, 7, 16, 50])
@pytest.mark.parametrize("count", [1, 3, 16])
def test_shards_divide_a_folder(length: int, count: int) -> None:
    parts = [Shard(number, count).of(range(length)) for number in range(1, count + 1)]
    assert sorted(item for part in parts for item in part) == list(range(length))
    sizes = [len(part) for part in parts]
    assert max(sizes) - min(sizes) <= 1


def test_a_shard_as_text() -> None:
    assert parse_shard("3/16") == Shard(3, 16)
    assert str(Shard(3, 16)) == "3/16"


@pytest.mark.parametrize("text", ["0/3", "4/3", "3", "a/b", "-1/3", "1/0", ""])
def test_a_text_that_is_not_a_shard(text: str) -> None:
    with pytest.raises(ConfigError, match="shard"):
        parse_shard(text)
