"""The three generators side by side: SAP-Net, propagation, classification, on slices that nobody annotated.

    python examples/compare_generators.py [IMAGE LABELS]

LABELS are complete; five slices of them are learned from. Without files: both lungs of the chest CT that
pip installed. The slices are encoded once; each generator then labels the same embeddings.
"""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from sammed.jobs.inputs import DEMO_LABELS, demo_pair
from sammed.jobs.training import annotate

import sammed
from sammed.skills.inference import GeneratorName, finish, label_encoded
from sammed_volumes import plan_slices, read_labels, read_volume
from sammed_volumes.intensity import auto_window

GENERATORS: tuple[GeneratorName, ...] = ("sap", "propagation", "classification")


def main(
    image: Path | None = None,
    labels: Path | None = None,
    *,
    backbone: sammed.Backbone | None = None,
    config: sammed.SkillConfig | None = None,
) -> dict[str, dict[str, float]]:
    """Dice by generator and by the label's name."""
    pair = demo_pair()
    volume, truth = read_volume(image or pair.image), read_labels(labels or pair.labels)
    if labels is None:
        lungs = tuple(label for label in truth.labels if label.name in DEMO_LABELS)
        truth = replace(truth, labels=lungs)  # the file has other structures as well
    slicing = plan_slices(volume.shape, volume.affine_ras_mm)
    annotations = annotate(slicing, truth, truth.labels, slices=5, draw="even")
    region = np.zeros(slicing.stack_shape, dtype=bool)
    region[list(annotations.indices)] = annotations.masks > 0
    window = auto_window(volume, slicing, region)
    backbone = backbone or sammed.load_backbone("lite-medsam", runtime="auto")
    scan = sammed.Scan(sammed.open_scan(volume, slicing, window), backbone)  # encodes a slice once
    config = config or sammed.SkillConfig()
    skill = sammed.train_skill(scan, annotations, window, config, seed=0, reporter=sammed.Silent())

    scores: dict[str, dict[str, float]] = {}
    for generator in GENERATORS:
        found = finish(scan, skill, label_encoded(scan, skill, generator))
        result = sammed.evaluate(found.labels, truth, exclude_slices=found.annotated, axis=found.axis)
        scores[generator] = {label.name: label.scores.dice for label in result.labels}
    for name in scores["sap"]:
        print(f"{name:20}", *(f"{generator} {scores[generator][name]:.3f}  " for generator in GENERATORS))
    return scores


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))
