"""Folders of images and masks with the same stems."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sammed.datasets.labeled_sets.case_names import case_names
from sammed.datasets.labeled_sets.gathered import Gathered
from sammed.datasets.labeled_sets.label_reading import AS_THEY_ARE, LabelReading
from sammed.datasets.labeled_sets.labeled_set import GOLD, Case
from sammed.datasets.labeled_sets.pairing import gather_cases
from sammed.storage.provenance import Provenance, read_provenance
from sammed_volumes.formats import VOLUME_SUFFIXES


def gather_pairs(
    images: Path,
    labels: Path | None,
    *,
    marked_only: bool = False,
    axis: int | None = None,
    reading: LabelReading = AS_THEY_ARE,
) -> Gathered:
    """Gather the images of a folder and its subfolders, or one file, with label volumes of the same names.

    An image may lack labels. Masks may be pictures (PNG, TIFF). Provenance beside labels identifies those
    that a machine made. With `marked_only` only the slices along `axis` that hold a label are annotated.
    Raises the errors of `gather_cases`.
    """
    cases = gather_cases(
        images,
        labels,
        marked_only=marked_only,
        axis=axis,
        label_suffixes=VOLUME_SUFFIXES,
        complete=False,
        reading=reading,
    )
    names = case_names(case.name for case in cases)
    return Gathered(tuple(_case(name, case) for name, case in zip(names, cases, strict=True)))


def _case(name: str, case: Case) -> Case:
    image = case.image.absolute()
    if case.labels is None:
        return replace(case, name=name, image=image)
    labels = case.labels.absolute()
    case = replace(case, name=name, image=image, labels=labels)
    written = read_provenance(labels)
    return case if written is None or written.origin == GOLD else _made(case, labels, written)


def _made(case: Case, labels: Path, written: Provenance) -> Case:
    """Return a case that a machine labeled, with its method and scores from the provenance."""
    named = written.scores or {}
    scores = {each.value: named[each.name] for each in case.reading.read(labels).labels if each.name in named}
    return replace(
        case,
        origin=written.method or "pseudo",
        score=sum(scores.values()) / len(scores) if scores else None,
        label_scores=scores,
        maker_digest=written.skill_digest,
    )
