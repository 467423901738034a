"""One volume from Python: read, annotate, learn, label, evaluate.

    python examples/one_volume.py [IMAGE LABELS]

LABELS are complete here, so that there is something to measure; five slices of them are learned from.
Without files: both lungs of the chest CT that pip installed. Writes `example-output/labels.nii.gz` anew.
"""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from sammed.jobs.inputs import DEMO_LABELS, demo_pair
from sammed.jobs.training import annotate

import sammed
from sammed_volumes import plan_slices, read_labels, read_volume, write_labels
from sammed_volumes.intensity import auto_window


def main(
    image: Path | None = None,
    labels: Path | None = None,
    *,
    output: Path = Path("example-output/labels.nii.gz"),
    backbone: sammed.Backbone | None = None,
    config: sammed.SkillConfig | None = None,
) -> sammed.Evaluation:
    """Learn from five slices, label the volume, and say how good the other slices are."""
    pair = demo_pair()
    volume = read_volume(image or pair.image)  # voxels X Y Z
    truth = read_labels(labels or pair.labels)  # X Y Z on the same grid
    if labels is None:
        lungs = tuple(label for label in truth.labels if label.name in DEMO_LABELS)
        truth = replace(truth, labels=lungs)  # the file has other structures as well
    slicing = plan_slices(volume.shape, volume.affine_ras_mm)  # X Y Z -> stack S H W
    annotations = annotate(slicing, truth, truth.labels, slices=5, draw="even")  # masks A H W
    region = np.zeros(slicing.stack_shape, dtype=bool)
    region[list(annotations.indices)] = annotations.masks > 0
    window = auto_window(volume, slicing, region)

    backbone = backbone or sammed.load_backbone("lite-medsam", runtime="auto")
    scan = sammed.Scan(sammed.open_scan(volume, slicing, window), backbone)
    config = config or sammed.SkillConfig()
    skill = sammed.train_skill(scan, annotations, window, config, seed=0, reporter=sammed.Silent())
    found = sammed.label_volume(volume, skill, backbone)  # found.labels.voxels X Y Z

    output.parent.mkdir(parents=True, exist_ok=True)
    write_labels(found.labels, output, like=volume, overwrite=True)
    result = sammed.evaluate(found.labels, truth, exclude_slices=found.annotated, axis=found.axis)
    for label in result.labels:
        print(f"{label.name}: Dice {label.scores.dice:.3f}, HD95 {label.scores.hd95_mm:.1f} mm")
    return result


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))
