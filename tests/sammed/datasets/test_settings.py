"""Settings as text."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from sammed.datasets.pseudo.methods import METHODS, config_type, method
from sammed.datasets.settings import Setting, configure, settings_of
from sammed.errors import ConfigError


@dataclass(frozen=True)
class Inner:
    rate: float = 0.5
    sizes: tuple[int, ...] = (1, 2)


@dataclass(frozen=True)
class Outer:
    steps: int = 3
    kind: Literal["a", "b"] = "a"
    on: bool = True
    place: Path | None = None
    inner: Inner = field(default_factory=lambda: Inner(rate=0.25))  # not the inner's own

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ConfigError("steps is 1 or more.")


def test_text_becomes_values_of_their_types() -> None:
    given = {
        "steps": "7",
        "kind": "b",
        "on": "no",
        "place": "/x",
        "inner.rate": "1e-3",
        "inner.sizes": "4, 5",
    }
    assert configure(Outer, given) == Outer(7, "b", False, Path("/x"), Inner(1e-3, (4, 5)))
    assert configure(Outer, {"place": "none"}) == Outer()


@pytest.mark.parametrize(
    ("settings", "fact"),
    [
        (
            {"step": "1"},
            "no setting 'step'; the settings are steps, kind, on, place, inner.rate, inner.sizes",
        ),
        ({"inner.other": "1"}, "'other'"),
        ({"steps.x": "1"}, r"'steps\.x'"),
        ({"steps": "many"}, "steps can't be 'many'; use int"),
        ({"on": "perhaps"}, "on can't be 'perhaps'"),
        ({"steps": "0"}, "1 or more"),
    ],
)
def test_what_is_wrong_is_said(settings: dict[str, Any], fact: str) -> None:
    with pytest.raises(ConfigError, match=fact):
        configure(Outer, settings)


def test_settings_are_described_by_what_would_be_given() -> None:
    assert list(settings_of(Outer)) == [
        Setting("steps", "3"),
        Setting("kind", "a", ("a", "b")),
        Setting("on", "yes", ("yes", "no")),
        Setting("place", "none"),
        Setting("inner.rate", "0.25"),
        Setting("inner.sizes", "1,2"),
    ]


def test_a_setting_that_must_be_given_has_no_value() -> None:
    @dataclass(frozen=True)
    class Asking:
        file: Path
        steps: int = 2

    assert [each.value for each in settings_of(Asking)] == ["", "2"]


@pytest.mark.parametrize("name", METHODS)
def test_every_method_has_a_config_that_text_can_set(name: str) -> None:
    found = config_type(name)
    assert list(settings_of(found))
    given = {each.name: each.value for each in settings_of(found) if each.value}
    if name != "assist":  # which has to be told where its prompts are
        assert configure(found, given) == found()


def test_an_unknown_method_names_those_that_there_are() -> None:
    with pytest.raises(ConfigError, match="assist, auto"):
        method("magic")
