"""The pseudo-labeler: one interface for all methods, and the tools that each receives.

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
    """A method that learns from gold cases and labels others."""

    @property
    def name(self) -> str:
        """The origin of its labels."""

    def label(self, gold: LabeledSet, unlabeled: Sequence[Case], reporter: Reporter) -> Iterator[PseudoLabel]:
        """Yield one pseudo-label for each case of `unlabeled`, in their order.

        `gold` is the set with its gold training cases only; in a partly annotated case only the annotated
        slices count. A partly annotated case may also be among `unlabeled`, for its other slices; the caller
        keeps the annotated ones. `gold` also has the labels, the window and the folder for `LabeledSet.path`.
        A case that fails becomes a `failure` (see `attempt`), and one without findings `nothing_found`;
        neither stops the others. Raises AnnotationError where the method can't learn from the gold cases.
        """
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Tools:
    """What a method receives in addition to its config.

    `backbone` loads the frozen SAM on the first call. `workspace` is a folder for what must survive a kill,
    such as a student's checkpoint; None keeps nothing. `cache` keeps the embeddings of slices for the next
    method.
    """

    backbone: Callable[[], Backbone]
    seed: int = 0
    workspace: Path | None = None
    cache: EmbeddingCache | None = None


def attempt(case: Case, make: Callable[[], PseudoLabel]) -> PseudoLabel:
    """Return what `make` returns for the case, or a `failure` with the message of its error."""
    try:
        return make()
    except (SammedError, VolumeError, OSError) as error:
        return failure(case.name, str(error))
