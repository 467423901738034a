"""The pictures of a set that a person labeled: what a student learns from before anything else."""

from __future__ import annotations

from sammed.datasets.labeled_sets.labeled_set import LabeledSet
from sammed.datasets.labeled_sets.pictures import Picture, pictures_of
from sammed.errors import AnnotationError


def gold_pictures(gold: LabeledSet) -> list[Picture]:
    """The pictures that a person labeled; AnnotationError where there is none, or none holds a label."""
    pictures = [
        picture for case in gold.gold for picture in pictures_of(case, gold) if picture.labels is not None
    ]
    if not any(picture.labels.any() for picture in pictures if picture.labels is not None):
        raise AnnotationError("No gold picture of the set holds a label, so there is nothing to learn from.")
    return pictures
