"""Validation during training: Dice on held-out samples."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from sammed.datasets.students.samples import IGNORED, Sample
from sammed.datasets.students.student import Student, class_probabilities


def validation_dice(student: Student, samples: Sequence[Sample]) -> tuple[float, ...]:
    """Return Dice of each label over the pixels of all samples together; () without samples.

    It is measured on the squares that the network sees, not on the pictures' own pixels, and is 1 for a label
    that is neither present nor found.
    """
    if not samples:
        return ()
    count = len(student.labels)
    overlap, size = torch.zeros(count), torch.zeros(count)
    with torch.inference_mode():
        for sample in samples:
            found, truth = _found(student, sample), torch.from_numpy(sample.classes)
            known = truth != IGNORED
            for number in range(count):
                ours, theirs = (found == number + 1) & known, truth == number + 1
                overlap[number] += (ours & theirs).sum()
                size[number] += ours.sum() + theirs.sum()
    return tuple(torch.where(size > 0, 2 * overlap / size.clamp(min=1), 1.0).tolist())


def _found(student: Student, sample: Sample) -> Float[Tensor, "..."]:
    """Return the likeliest class in each pixel of a sample."""
    scores = student.scores(torch.from_numpy(sample.image)[None].float())
    return class_probabilities(scores, student.config)[0].argmax(0).cpu()
