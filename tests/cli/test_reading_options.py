"""Which commands take which options for reading files: the same ones wherever they mean something."""

from __future__ import annotations

import pytest

from tests.cli.test_main import COMMANDS

READING = ("--spacing", "--flatten", "--colors", "--resample")
EXPECTED = {
    **dict.fromkeys(("assist-train", "auto-train", "assist-evaluate", "interpolate"), READING),
    **dict.fromkeys(("evaluate", "convert"), READING),
    **dict.fromkeys(("check", "info"), READING[:3]),  # they say what is, and resample nothing
    **dict.fromkeys(("assist-label", "auto-label", "student label"), READING[:1]),  # they read no labels
    # A case is one picture, or states its spacing; colors are numbered file by file.
    **dict.fromkeys(("export nnunet", "export monai", "set make"), ("--flatten", "--resample")),
}


@pytest.mark.parametrize("name", COMMANDS, ids=lambda name: " ".join(name) or "sammed")
def test_a_command_takes_the_options_for_what_it_reads(name: tuple[str, ...]) -> None:
    flags = {flag for parameter in COMMANDS[name].params for flag in parameter.opts}
    assert flags.intersection(READING) == set(EXPECTED.get(" ".join(name), ()))


def test_no_command_is_listed_that_does_not_exist() -> None:
    assert set(EXPECTED) <= {" ".join(name) for name in COMMANDS}
