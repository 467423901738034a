"""Prompts from class activation maps as a pseudo-labeller: presence of a label is all that it learns from.

The score of a label is the classifier's probability that the picture holds it (for a volume the mean over
the slices that it labelled); it says nothing of the outline.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial

import numpy as np
import torch
from jaxtyping import Float

from sammed.backbones.backbone import Backbone
from sammed.embeddings.scan import EncodedScan
from sammed.progress import Reporter
from sammed.pseudo.cam.config import CamConfig
from sammed.pseudo.cam.prompting import map_prompts
from sammed.pseudo.cam.reading import Reader, learn_readers
from sammed.pseudo.coarse.decoding import encode_case, highest_label, prompted_logits
from sammed.pseudo.labeller import Tools, attempt
from sammed.pseudo.pseudo_label import PseudoLabel, nothing_found
from sammed.sets.labelled_set import Case, LabelledSet
from sammed.sets.pictures import OpenCase, from_pictures, open_case
from sammed.students.scaling import to_square


@dataclass(frozen=True, slots=True, eq=False)
class Finding:
    """What was found in one slice: a value's logits, and the probability that the slice holds it."""

    value: int
    logits: Float[np.ndarray, "H W"]
    probability: float


@dataclass(frozen=True, slots=True, eq=False)
class CamLabeller:
    """The method `cam`; `sammed.pseudo.labeller.PseudoLabeller` says what it does."""

    config: CamConfig
    tools: Tools

    @property
    def name(self) -> str:
        """The method's name, the origin of its labels."""
        return "cam"

    def label(
        self, gold: LabelledSet, unlabelled: Sequence[Case], reporter: Reporter
    ) -> Iterator[PseudoLabel]:
        """Learn the classifiers and label every case; AnnotationError where none can tell classes apart."""
        backbone = self.tools.backbone()
        readers = learn_readers(gold, self.config, self.tools.seed, backbone.device, reporter)
        digest = _digest(self.config, readers)
        with reporter.task("weak labels", len(unlabelled)) as task:
            for case in unlabelled:
                yield attempt(case, partial(_label_case, case, gold, backbone, readers, self.config, digest))
                task.advance()


def _label_case(
    case: Case,
    gold: LabelledSet,
    backbone: Backbone,
    readers: Sequence[Reader],
    config: CamConfig,
    digest: str,
) -> PseudoLabel:
    opened = open_case(case, gold)
    encoded = encode_case(opened, backbone)
    slices = [
        list(_findings(encoded, opened, index, readers, config)) for index in range(opened.slicing.count)
    ]
    shape = opened.slicing.stack_shape[1:]
    stack = [highest_label({each.value: each.logits for each in found}, shape) for found in slices]
    if not any(values.any() for values in stack):
        names = sorted({name for reader in readers for name in reader.task.label_names})
        return nothing_found(case.name, f"The classifier sees nothing of {', '.join(names)}.", digest)
    scores = _mean_probabilities([each for found in slices for each in found])
    return PseudoLabel(
        case.name,
        from_pictures(np.stack(stack), opened, gold),
        score=float(np.mean(list(scores.values()))),
        label_scores=scores,
        maker_digest=digest,
    )


def _findings(
    encoded: EncodedScan, opened: OpenCase, index: int, readers: Sequence[Reader], config: CamConfig
) -> Iterator[Finding]:
    """What each reader sees in a slice of the stack, outlined by the backbone."""
    image = opened.image(index)
    pixels = torch.from_numpy(to_square(image, config.image_size, image.shape[2]))[None]
    for reader in readers:
        probabilities = reader.classifier.probabilities(pixels)[0]
        class_index = int(probabilities.argmax())
        value = reader.task.values[class_index]
        if not value:
            continue
        prompts = list(map_prompts(reader.map(pixels, class_index, image.shape[:2]), config))
        if prompts:
            logits = prompted_logits(encoded, index, prompts)
            yield Finding(value, logits, float(probabilities[class_index]))


def _mean_probabilities(found: Sequence[Finding]) -> dict[int, float]:
    values = sorted({each.value for each in found})
    return {
        value: float(np.mean([each.probability for each in found if each.value == value])) for value in values
    }


def _digest(config: CamConfig, readers: Sequence[Reader]) -> str:
    learned = " ".join(reader.classifier.digest() for reader in readers)
    return hashlib.sha256(f"cam {sorted(asdict(config).items())} {learned}".encode()).hexdigest()
