"""The gold pictures of a set, from which a student learns first."""

from __future__ import annotations

from sammed.datasets.labeled_sets.labeled_set import LabeledSet
from sammed.datasets.labeled_sets.pictures import Picture, pictures_of
from sammed.errors import AnnotationError


def gold_pictures(gold: LabeledSet) -> list[Picture]:
    """Return the gold pictures. Raises AnnotationError where there is none, or none holds a label."""
    pictures = [
        picture for case in gold.gold for picture in pictures_of(case, gold) if picture.labels is not None
    ]
    if not any(picture.labels.any() for picture in pictures if picture.labels is not None):
        raise AnnotationError("No gold picture of the set holds a label, so there is nothing to learn from.")
    return pictures
