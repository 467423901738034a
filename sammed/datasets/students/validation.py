"""How good a student is while it learns: Dice on samples that it doesn't learn from."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from sammed.datasets.students.samples import IGNORED, Sample
from sammed.datasets.students.student import Student, class_probabilities


def validation_dice(student: Student, samples: Sequence[Sample]) -> tuple[float, ...]:
    """Dice of each label over the pixels of all samples together; () where there is no sample.

    It is that of the squares that the network sees, not of the pictures' own pixels, and 1 for a label that
    is neither there nor found.
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
    """The likeliest class in each pixel of a sample."""
    scores = student.scores(torch.from_numpy(sample.image)[None].float())
    return class_probabilities(scores, student.config)[0].argmax(0).cpu()
