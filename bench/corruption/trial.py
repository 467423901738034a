"""Trials: one damaged file is read in a process of its own, with limits on time and memory."""

import contextlib
import gc
import importlib
import json
import os
import resource
import shutil
import signal
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from bench.corruption.damage import Damage, damaged, generator
from bench.corruption.samples import Sample
from sammed.errors import SammedError
from sammed_volumes.errors import VolumeError

Outcome: TypeAlias = Literal["result", "sentence", "wrong", "traceback", "hang", "memory"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
GOOD: tuple[Outcome, ...] = ("result", "sentence")

_SECONDS = 10
_SPARE_BYTES = 64 << 20
_MOST_BYTES = 4 << 30  # a process that wants more is stopped before the machine suffers


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of one damaged file; `detail` is the message or the error.

    A result is "wrong" if the file was cut, say, and yet gives another result than the honest one.
    """

    number: int
    outcome: Outcome
    detail: str


class Bench:
    """Honest files of one format, which trials damage."""

    def __init__(self, sample: Sample, seed: int) -> None:
        self._sample, self._seed = sample, seed
        self._place = tempfile.TemporaryDirectory()
        self._honest = Path(self._place.name) / "honest"
        self._honest.mkdir()
        if sample.module:
            importlib.import_module(sample.module)
        gc.freeze()  # so that collecting garbage copies no memory in the forked processes
        # Not in this process: ITK's threads would be missing in the processes that are forked later.
        self._honestly(sample.write)
        self._right = [self._honestly(reader) for reader in sample.readers]
        self._most_bytes = 2 * len(sample.unpack(self.path)) + _SPARE_BYTES

    def _honestly(self, call: Callable[[Path], object]) -> str:
        outcome, detail = _in_process(partial(call, self.path), _MOST_BYTES)
        if outcome != "result":
            raise RuntimeError(f"The honest {self._sample.name} fails: {detail}")
        return detail

    @property
    def path(self) -> Path:
        """The honest file."""
        return self._honest / self._sample.file_name

    def close(self) -> None:
        """Remove the files."""
        self._place.cleanup()

    def damage(self, number: int) -> Damage:
        """Return the damaged file of one trial."""
        return damaged(self._sample, self.path, generator(self._seed, self._sample.name, number))

    def run(self, number: int) -> Trial:
        """Damage a copy of the files, and read it."""
        folder = Path(self._place.name) / "damaged"
        shutil.copytree(self._honest, folder)
        path = folder / self._sample.file_name
        damage = self.damage(number)
        path.write_bytes(damage.content)
        which = number % len(self._sample.readers)
        outcome, detail = _in_process(partial(self._sample.readers[which], path), self._most_bytes)
        shutil.rmtree(folder)
        if outcome == "result" and damage.kind in self._sample.notices and detail != self._right[which]:
            return Trial(number, "wrong", f"a {damage.kind} gave another result")
        return Trial(number, outcome, detail)


def _in_process(call: Callable[[], object], most_bytes: int) -> tuple[Outcome, str]:
    """Call in a forked process; one that takes too long is killed by its own alarm."""
    receiver, sender = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(sender, json.dumps(_limited(call, most_bytes)).encode()[:60000])
        finally:
            os._exit(0)
    os.close(sender)
    with os.fdopen(receiver, "rb") as file:
        sent = file.read()
    _, status = os.waitpid(child, 0)
    if sent:
        outcome, detail = json.loads(sent)
        return outcome, detail
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGALRM:
        return "hang", f"took more than {_SECONDS} s"
    return "traceback", f"the process died with status {status}"


def _limited(call: Callable[[], object], most_bytes: int) -> tuple[Outcome, str]:
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(_SECONDS)
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(1, 2)
    resource.setrlimit(resource.RLIMIT_AS, (_size_bytes() + _MOST_BYTES,) * 2)
    before = _peak_bytes()
    outcome, detail = outcome_of(call)
    grown = _peak_bytes() - before
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


def _size_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
