"""One volume from Python: open, learn, label, evaluate.

    python examples/one_volume.py [IMAGE LABELS]

LABELS are complete here, so that there is something to measure; the skill learns from five of their slices.
Without files: both lungs of the chest CT that pip installed. Writes `example-output/labels.nii.gz`.
"""

import sys
from dataclasses import replace
from pathlib import Path

import sammed
from sammed.jobs.demo_data import DEMO_LABELS, demo_pair
from sammed_volumes import read_labels


def main(
    image: Path | None = None,
    labels: Path | None = None,
    *,
    output: Path = Path("example-output/labels.nii.gz"),
) -> sammed.Evaluation:
    """Learn from five slices, label the volume, and return how good the other slices are."""
    pair = demo_pair()
    truth = read_labels(labels or pair.labels)  # voxels X Y Z
    if labels is None:
        truth = replace(truth, labels=truth.select(DEMO_LABELS))  # the file has other structures as well
    scan = sammed.open(image or pair.image)  # X Y Z -> slices S H W
    skill = sammed.learn(scan, truth, slices=5, draw="even")
    found = skill.label(scan)  # found.labels.voxels X Y Z
    output.parent.mkdir(parents=True, exist_ok=True)
    found.save(output, overwrite=True)
    result = sammed.evaluate(found.labels, truth, exclude_slices=found.annotated, axis=found.axis)
    for label in result.labels:
        print(f"{label.name}: Dice {label.scores.dice:.3f}, HD95 {label.scores.hd95_mm:.1f} mm")
    return result


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))
