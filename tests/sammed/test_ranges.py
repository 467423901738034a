"""Each check names the field, its value and what it may be."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import pytest

from sammed.errors import ConfigError
from sammed.ranges import check_least, check_positive, check_shares, check_words


@dataclass(frozen=True, slots=True)
class Config:
    kind: Literal["box", "point"] = "box"
    number: float = 2


NAN = float("nan")


@pytest.mark.parametrize(
    ("check", "good", "bad", "sentence"),
    [
        (lambda config: check_least(config, 2, "number"), (2, 3), (1, NAN), "it must be 2 or more."),
        (lambda config: check_positive(config, "number"), (1e-9, 3), (0, -1, NAN), "it must be above 0."),
        (
            lambda config: check_shares(config, "number"),
            (0, 0.9),
            (1, -1, NAN),
            "it must be from 0 to below 1.",
        ),
    ],
    ids=["least", "positive", "shares"],
)
def test_a_number_out_of_range(
    check: Callable[[Config], None], good: tuple[float, ...], bad: tuple[float, ...], sentence: str
) -> None:
    for number in good:
        check(Config(number=number))
    for number in bad:
        with pytest.raises(ConfigError, match=re.escape(f"number is {number}; {sentence}")):
            check(Config(number=number))


def test_a_word_that_is_not_of_its_type() -> None:
    check_words(Config("point"), "kind")
    with pytest.raises(ConfigError, match=re.escape("kind is 'line'; use one of box, point.")):
        check_words(Config("line"), "kind")  # type: ignore[arg-type]
