"""Folders of images and masks with the same stems."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from sammed.datasets.export.cases import Case as Pair
from sammed.datasets.export.cases import case_names
from sammed.datasets.export.pairing import gather_cases
from sammed.datasets.labeled_sets.gathered import Gathered
from sammed.datasets.labeled_sets.labeled_set import GOLD, Case
from sammed.storage.provenance import Provenance
from sammed_volumes.formats import VOLUME_SUFFIXES, read_labels


def gather_pairs(
    images: Path, labels: Path | None, *, marked_only: bool = False, axis: int | None = None
) -> Gathered:
    """The images of a folder and those below it, or of one file, with the label volumes of the same names.

    An image may be without labels. Masks may be pictures as well (PNG, TIFF). Labels that sammed wrote say
    themselves that a machine made them. `marked_only`: of a label volume only the slices along `axis` that
    hold a label are annotated. Errors as `gather_cases`.
    """
    pairs = gather_cases(
        images, labels, marked_only=marked_only, axis=axis, label_suffixes=VOLUME_SUFFIXES, complete=False
    )
    return Gathered(tuple(_case(name, pair) for name, pair in zip(case_names(pairs), pairs, strict=True)))


def _case(name: str, pair: Pair) -> Case:
    image = pair.image.absolute()
    if pair.label is None:
        return Case(name, image)
    case = Case(
        name,
        image,
        pair.label.absolute(),
        GOLD,
        annotated_slices=pair.annotated_slices,
        axis=pair.axis,
    )
    written = pair.provenance
    return case if written is None or written.origin == GOLD else _made(case, pair.label, written)


def _made(case: Case, labels: Path, written: Provenance) -> Case:
    """A case that a machine labeled, with what the provenance beside its labels says."""
    scores = _by_value(written.scores or {}, labels)
    return replace(
        case,
        origin=written.method or "pseudo",
        score=sum(scores.values()) / len(scores) if scores else None,
        label_scores=scores,
        maker_digest=written.skill_digest,
    )


def _by_value(scores: Mapping[str, float], labels: Path) -> dict[int, float]:
    named: Sequence[tuple[str, int]] = [(label.name, label.value) for label in read_labels(labels).labels]
    return {value: scores[name] for name, value in named if name in scores}
