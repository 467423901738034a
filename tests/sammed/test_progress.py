"""The silent reporter."""

import pytest

from sammed.progress import Silent


def test_silence(capfd: pytest.CaptureFixture[str]) -> None:
    reporter = Silent()
    reporter.message("discarded")
    with reporter.task("volumes", 2) as volumes, reporter.task("slices", None) as slices:
        slices.advance(3)
        volumes.advance()
    assert capfd.readouterr() == ("", "")
