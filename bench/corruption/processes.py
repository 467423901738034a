"""Processes: calls are made in a process of their own, with limits on time and memory."""

import contextlib
import json
import os
import resource
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from sammed.errors import SammedError
from sammed_volumes.errors import VolumeError

Outcome: TypeAlias = Literal["result", "sentence", "wrong", "traceback", "hang", "memory"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
GOOD: tuple[Outcome, ...] = ("result", "sentence")
MOST_BYTES = 4 << 30
"""A process that wants more is stopped before the machine suffers."""

_SECONDS = 10
_PEAK = "5"  # what resets the peak of a process' memory, see proc(5)

Call: TypeAlias = Callable[[], object]


def outcomes_of(calls: Sequence[Call], most_bytes: int) -> Iterator[tuple[Outcome, str]]:
    """Make calls in a forked process, and what follows one that hangs or dies in another process."""
    done = 0
    while done < len(calls):
        found = _in_process(calls[done:], most_bytes)
        yield from found
        done += len(found)


def _in_process(calls: Sequence[Call], most_bytes: int) -> list[tuple[Outcome, str]]:
    """Make calls until one takes too long, when an alarm kills the process, or kills it otherwise."""
    receiver, sender = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            _make(calls, most_bytes, sender)
        finally:
            os._exit(0)
    os.close(sender)
    with os.fdopen(receiver, encoding="utf-8") as file:
        found: list[tuple[Outcome, str]] = [tuple(json.loads(line)) for line in file]
    _, status = os.waitpid(child, 0)
    if len(found) == len(calls):
        return found
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGALRM:
        return [*found, ("hang", f"took more than {_SECONDS} s")]
    return [*found, ("traceback", f"the process died with status {status}")]


def _make(calls: Sequence[Call], most_bytes: int, sender: int) -> None:
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(1, 2)
    resource.setrlimit(resource.RLIMIT_AS, (_memory_bytes("VmSize") + MOST_BYTES,) * 2)
    with os.fdopen(sender, "w", encoding="utf-8") as file:
        for call in calls:
            signal.alarm(_SECONDS)
            file.write(json.dumps(_measured(call, most_bytes)) + "\n")
            file.flush()


def _measured(call: Call, most_bytes: int) -> tuple[Outcome, str]:
    Path("/proc/self/clear_refs").write_text(_PEAK, encoding="ascii")
    before = _memory_bytes("VmHWM")
    outcome, detail = outcome_of(call)
    grown = _memory_bytes("VmHWM") - before
    if grown > most_bytes:
        return "memory", f"took {grown >> 20} MB: {detail}"
    return outcome, detail[:2000]


def outcome_of(call: Callable[[], object]) -> tuple[Outcome, str]:
    """Call; return what became of it, and the result as text or the message."""
    try:
        return "result", str(call())
    except MemoryError as error:
        return "memory", f"MemoryError: {error}"
    except (SammedError, VolumeError, OSError) as error:
        text = str(error)
        return ("sentence" if len(text.splitlines()) == 1 else "traceback"), text
    except BaseException as error:  # whatever a reader lets through is what this looks for
        return "traceback", f"{type(error).__name__}: {error} ({_place(error)})"


def _place(error: BaseException) -> str:
    """Return the file and line that raised."""
    trace, place = error.__traceback__, ""
    while trace is not None:
        place = f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place


def _memory_bytes(name: str) -> int:
    """Return a line of this process' status, which is in kB."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) << 10
    raise RuntimeError(f"/proc/self/status has no {name}; this needs Linux.")
