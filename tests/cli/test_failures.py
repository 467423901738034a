"""Every error becomes one sentence and an exit status."""

import errno
import os

import click
import pytest

from sammed.errors import ConfigError, SkillError
from sammed_cli.failures import describe
from sammed_volumes.errors import OutputError


class OutOfMemoryError(RuntimeError):
    """As torch names its own."""


@pytest.mark.parametrize(
    ("error", "message", "exit_code"),
    [
        pytest.param(ConfigError("Say how."), "Say how.", 2, id="of a setting"),
        pytest.param(SkillError("Cut short."), "Cut short.", 1, id="of a skill"),
        pytest.param(OutputError("It exists."), "It exists.", 1, id="of volumes"),
        pytest.param(
            PermissionError(errno.EACCES, os.strerror(errno.EACCES), "/root/x.nii"),
            "/root/x.nii: Permission denied. Choose another place, or change its permissions.",
            1,
            id="permission",
        ),
        pytest.param(OSError("strange"), "strange.", 1, id="a system error without a number"),
        pytest.param(
            MemoryError(),
            "Not enough memory; close other programs, or use another --device.",
            1,
            id="memory",
        ),
        pytest.param(
            OutOfMemoryError("CUDA out of memory. Tried to allocate"),
            "Not enough memory; close other programs, or use another --device.",
            1,
            id="memory of the GPU",
        ),
        pytest.param(
            ImportError("libtorch_cpu.so: failed to map segment from shared object\nmore"),
            "A package can't be loaded (libtorch_cpu.so: failed to map segment from shared object); "
            "run `sammed doctor`, or free memory.",
            1,
            id="a library that doesn't fit into memory",
        ),
        pytest.param(click.UsageError("No such thing."), "No such thing.", 2, id="misuse"),
        pytest.param(
            KeyboardInterrupt(),
            "Interrupted; finished files are kept, unfinished ones are removed.",
            130,
            id="Ctrl-C",
        ),
    ],
)
def test_describe(error: BaseException, message: str, exit_code: int) -> None:
    failure = describe(error)
    assert (failure.message, failure.exit_code) == (message, exit_code)


def test_only_misuse_shows_the_usage() -> None:
    assert describe(ConfigError("x")).usage is None
    assert isinstance(describe(click.UsageError("x")).usage, click.UsageError)
