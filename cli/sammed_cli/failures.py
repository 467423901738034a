"""The message and the exit status of a command that fails."""

from __future__ import annotations

import errno
from dataclasses import dataclass

import click

from sammed.errors import ConfigError, SammedError
from sammed_volumes.errors import GeometryMismatchError, VolumeError

FAILED, MISUSED, INTERRUPTED = 1, 2, 130
INTERRUPTION = "Interrupted; finished files are kept, unfinished ones are removed."

_REMEDIES = {
    errno.ENOSPC: "Free some space or choose another place.",
    errno.EDQUOT: "Free some space or choose another place.",
    errno.EACCES: "Choose another place, or change its permissions.",
    errno.EPERM: "Choose another place, or change its permissions.",
    errno.EROFS: "Choose another place.",
}


@dataclass(frozen=True, slots=True)
class Failure:
    """One sentence for the user, and an exit status.

    `details` are for --json and --debug alone. `usage` is a click error that prints itself.
    """

    message: str
    exit_code: int
    details: str = ""
    usage: click.ClickException | None = None


def describe(error: BaseException) -> Failure:
    """Return the failure for an exception."""
    if isinstance(error, click.Abort | KeyboardInterrupt):
        return Failure(INTERRUPTION, INTERRUPTED)
    if isinstance(error, click.ClickException):
        return Failure(error.format_message(), error.exit_code, usage=error)
    if isinstance(error, ConfigError):
        return Failure(str(error), MISUSED)
    if isinstance(error, SammedError | VolumeError):
        return Failure(str(error), FAILED, details=_details(error))
    if isinstance(error, OSError):
        return Failure(_system_message(error), FAILED)
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":  # torch's own
        return Failure("Not enough memory; close other programs, or use another --device.", FAILED)
    if isinstance(error, ImportError):
        reason = _first_line(error)
        return Failure(f"A package can't be loaded ({reason}); run `sammed doctor`, or free memory.", FAILED)
    return Failure(_fault_message(error), FAILED)


def _details(error: BaseException | None) -> str:
    """The shapes and affines of two grids that differ, also where an error names the file of another."""
    while error is not None:
        if isinstance(error, GeometryMismatchError):
            return error.details
        error = error.__cause__
    return ""


def _system_message(error: OSError) -> str:
    fact = error.strerror or str(error) or type(error).__name__
    place = f"{error.filename}: " if error.filename else ""
    remedy = _REMEDIES.get(error.errno or 0, "")
    return f"{place}{fact}. {remedy}".rstrip()


def _fault_message(error: BaseException) -> str:
    return (
        f"This is a bug in sammed ({type(error).__name__}: {_first_line(error)}); please report it with the "
        "output of `sammed --debug COMMAND`."
    )


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [""])[0].rstrip(".")
