"""The three generators compared: SAP-Net, propagation, classification, on slices that nobody annotated.

    python examples/compare_generators.py [IMAGE LABELS]

LABELS are complete; the skill learns from five of their slices. Without files: both lungs of the chest CT
that pip installed. The cache keeps the embeddings, so that each slice is encoded once for all three.
"""

import sys
from dataclasses import replace
from pathlib import Path

import sammed
from sammed.jobs.demo_data import DEMO_LABELS, demo_pair
from sammed.skills.inference import GeneratorName
from sammed_volumes import read_labels

GENERATORS: tuple[GeneratorName, ...] = ("sap", "propagation", "classification")


def main(image: Path | None = None, labels: Path | None = None) -> dict[str, dict[str, float]]:
    """Return Dice by generator and by the label's name."""
    pair = demo_pair()
    truth = read_labels(labels or pair.labels)
    if labels is None:
        truth = replace(truth, labels=truth.select(DEMO_LABELS))  # the file has other structures as well
    scan = sammed.open(image or pair.image)
    skill = sammed.learn(scan, truth, slices=5, draw="even")
    scores: dict[str, dict[str, float]] = {}
    for generator in GENERATORS:
        found = skill.label(scan, generator=generator)
        result = sammed.evaluate(found.labels, truth, exclude_slices=found.annotated, axis=found.axis)
        scores[generator] = {label.name: label.scores.dice for label in result.labels}
    for name in scores["sap"]:
        print(f"{name:20}", *(f"{generator} {scores[generator][name]:.3f}  " for generator in GENERATORS))
    return scores


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))
