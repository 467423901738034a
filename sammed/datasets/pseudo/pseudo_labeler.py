"""The pseudo-labeler: one interface for all methods, and what each of them is given.

A method is a class with a frozen config. `METHODS` in `sammed.datasets.pseudo.methods` names them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sammed.backbones.backbone import Backbone
from sammed.datasets.labeled_sets.labeled_set import Case, LabeledSet
from sammed.datasets.pseudo.pseudo_label import PseudoLabel, failure
from sammed.embeddings.cache import EmbeddingCache
from sammed.errors import SammedError
from sammed.progress import Reporter
from sammed_volumes.errors import VolumeError


class PseudoLabeler(Protocol):
    """Learns from gold cases and labels others."""

    @property
    def name(self) -> str:
        """What stands as the origin of its labels."""

    def label(self, gold: LabeledSet, unlabeled: Sequence[Case], reporter: Reporter) -> Iterator[PseudoLabel]:
        """One pseudo-label for each case of `unlabeled`, in their order.

        `gold` is the set with its gold training cases alone; of a partly annotated case only the annotated
        slices are to be learned from. A partly annotated case may be among `unlabeled` as well, for its
        other slices; the caller keeps the person's slices. `gold` also holds the labels, the window and the
        folder for `LabeledSet.path`. A case that fails becomes a `failure` (see `attempt`), one in which
        nothing is found says so, and the others go on. Raises AnnotationError where the gold can't teach the
        method.
        """
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Tools:
    """What a method is given beside its config.

    `backbone` loads the frozen SAM when first called. `workspace` is a folder for what must outlive a kill,
    such as a student's checkpoint; None: nothing is kept. `cache` keeps what the cases' slices were encoded
    to, for the next method.
    """

    backbone: Callable[[], Backbone]
    seed: int = 0
    workspace: Path | None = None
    cache: EmbeddingCache | None = None


def attempt(case: Case, make: Callable[[], PseudoLabel]) -> PseudoLabel:
    """What `make` returns for the case, or a `failure` with the sentence of the error that it raised."""
    try:
        return make()
    except (SammedError, VolumeError, OSError) as error:
        return failure(case.name, str(error))
