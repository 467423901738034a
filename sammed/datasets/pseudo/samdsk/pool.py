"""The pool: all unlabeled pictures, and the proposals of each, computed once."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from jaxtyping import Float

from sammed.datasets.labeled_sets.labeled_set import Case, LabeledSet
from sammed.datasets.labeled_sets.pictures import open_case
from sammed.datasets.pseudo.proposals.proposals import Proposals
from sammed.errors import SammedError
from sammed_volumes.atomic_file import atomic_file
from sammed_volumes.errors import VolumeError

Key: TypeAlias = tuple[str, int]
"""A picture: its case's name and its place in the stack."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A picture without labels, 0..1; `pixel_spacing_mm` is (row, column)."""

    case: str
    index: int
    image: Float[np.ndarray, "H W C"]
    pixel_spacing_mm: tuple[float, float]

    @property
    def key(self) -> Key:
        """The key of the picture."""
        return self.case, self.index

    @property
    def digest(self) -> str:
        """sha256 of everything that proposals depend on."""
        digest = hashlib.sha256(f"{self.image.shape} {self.pixel_spacing_mm}".encode())
        digest.update(np.ascontiguousarray(self.image).tobytes())
        return digest.hexdigest()


class Pool:
    """The pictures without labels. They are read again each time, to save memory.

    `failures` maps the name of a case whose files can't be read to the reason.
    """

    def __init__(self, labeled_set: LabeledSet, cases: Sequence[Case]) -> None:
        self.cases = tuple(cases)
        self.failures: dict[str, str] = {}
        self._set = labeled_set

    def candidates(self, done: Collection[Key], finished: Callable[[], None]) -> Iterator[Candidate]:
        """Yield all pictures except those in `done`; call `finished` after each case.

        Of a partly annotated case only slices without annotation are in the pool.
        """
        for case in self.cases:
            if case.name not in self.failures:
                yield from self._of_case(case, done)
            finished()

    def _of_case(self, case: Case, done: Collection[Key]) -> Iterator[Candidate]:
        try:
            opened = open_case(case, self._set)
        except (SammedError, VolumeError, OSError) as error:
            self.failures[case.name] = str(error)
            return
        for index in range(opened.slicing.count):
            if not opened.is_known(index) and (case.name, index) not in done:
                yield Candidate(case.name, index, opened.image(index), opened.slicing.pixel_spacing_mm)


class ProposalStore:
    """Proposals by picture, kept in a folder, where they survive a kill, or else in memory.

    `maker` identifies backbone and settings; stored proposals of another maker or picture are replaced.
    """

    def __init__(self, make: Callable[[Candidate], Proposals], maker: str, folder: Path | None) -> None:
        self._make, self._maker, self._folder = make, maker, folder
        self._kept: dict[Key, Proposals] = {}

    def proposals(self, candidate: Candidate) -> Proposals:
        """Return the proposals of a picture; they are computed on first use."""
        if self._folder is None:
            if candidate.key not in self._kept:
                self._kept[candidate.key] = self._make(candidate)
            return self._kept[candidate.key]
        path = self._folder / f"{candidate.case}-{candidate.index}.npz"
        digest = f"{self._maker} {candidate.digest}"
        return _read(path, digest) or self._made(candidate, path, digest)

    def _made(self, candidate: Candidate, path: Path, digest: str) -> Proposals:
        made = self._make(candidate)
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(path, ".npz", overwrite=True) as partial:
            size = np.array([made.height, made.width])
            np.savez_compressed(partial, packed=made.packed, size=size, digest=np.array(digest))
        return made


def _read(path: Path, digest: str) -> Proposals | None:
    """Return stored proposals; None where they are missing, damaged or of something else."""
    try:
        with np.load(path, allow_pickle=False) as kept:
            if str(kept["digest"]) != digest:
                return None
            height, width = kept["size"].tolist()
            return Proposals(kept["packed"], height, width)
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile):
        return None
