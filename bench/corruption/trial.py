"""Trials: damaged files are read, each once, in processes with limits on time and memory."""

import gc
import importlib
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.corruption.damage import Damage, damaged, generator
from bench.corruption.processes import MOST_BYTES, Outcome, outcomes_of
from bench.corruption.samples import Sample

_SPARE_BYTES = 64 << 20


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
        ((outcome, detail),) = outcomes_of([partial(call, self.path)], MOST_BYTES)
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

    def run(self, numbers: Sequence[int]) -> list[Trial]:
        """Damage a copy of the files for each number, and read it."""
        calls = [partial(self._read_damaged, number) for number in numbers]
        found = outcomes_of(calls, self._most_bytes)
        return [self._judged(number, *each) for number, each in zip(numbers, found, strict=True)]

    def claim(self, claim: Callable[[bytes], bytes], *, is_set_aside: bool) -> list[Trial]:
        """Read a file whose header claims more than it holds; a result is right if the file is set aside."""
        honest = self._sample.unpack(self.path)
        changed = claim(honest)
        if changed == honest:
            raise RuntimeError(f"The claim changes nothing in {self._sample.name}.")
        content = self._sample.pack(self.path, changed)
        calls = [partial(self._read, content, which) for which in range(len(self._sample.readers))]
        return [
            Trial(which, "wrong" if outcome == "result" and not is_set_aside else outcome, detail)
            for which, (outcome, detail) in enumerate(outcomes_of(calls, self._most_bytes))
        ]

    def _judged(self, number: int, outcome: Outcome, detail: str) -> Trial:
        if outcome == "result" and detail != self._right[self._which(number)]:
            kind = self.damage(number).kind
            if kind in self._sample.notices:
                return Trial(number, "wrong", f"a {kind} gave another result")
        return Trial(number, outcome, detail)

    def _which(self, number: int) -> int:
        return number % len(self._sample.readers)

    def _read_damaged(self, number: int) -> str:
        return self._read(self.damage(number).content, self._which(number))

    def _read(self, content: bytes, which: int) -> str:
        folder = Path(self._place.name) / "damaged"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self._honest, folder)
        path = folder / self._sample.file_name
        path.write_bytes(content)
        return self._sample.readers[which](path)
