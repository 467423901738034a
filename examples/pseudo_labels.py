"""Pseudo-labels and a student: label a volume's other slices by SAM^Med, and train a UNet on all of them.

    python examples/pseudo_labels.py [IMAGES LABELS]

Without arguments: the chest CT that pip installed, five of whose slices are taken as annotated. IMAGES and
LABELS are files, or folders of files with the same names. All goes into `example-output/sets/`.
"""

import sys
from collections.abc import Mapping
from pathlib import Path

from sammed import Silent
from sammed.jobs.demo_data import demo_pair
from sammed.jobs.pseudo_label import PseudoLabelRequest, pseudo_label
from sammed.jobs.set.make import SetMakeRequest, set_make
from sammed.jobs.set.split import SetSplitRequest, set_split
from sammed.jobs.student.train import StudentTrainRequest, StudentTrainResult, student_train

QUICK = {"size_px": "96", "features": "16,16,32,64,64,16", "steps": "200", "optimizer": "adam"}


def main(
    images: Path | None = None,
    labels: Path | None = None,
    *,
    method: Mapping[str, str] | None = None,
    student: Mapping[str, str] = QUICK,
    output: Path = Path("example-output/sets"),
) -> StudentTrainResult:
    """From images with labels to a student; `method` and `student` are settings as on the command line."""
    demo = demo_pair()
    whole, few, made = (output / name for name in ("whole", "few-slices", "pseudo"))
    making = SetMakeRequest(
        source=images or demo.image, labels=labels or demo.labels, output=whole, overwrite=True
    )
    set_make(making, Silent())
    thinning = SetSplitRequest(labeled_set=whole, output=few, test=0, keep_slices=5, overwrite=True)
    set_split(thinning, Silent())
    labeling = PseudoLabelRequest(
        labeled_set=few, method="auto", output=made, settings=method or {}, overwrite=True
    )
    for item in pseudo_label(labeling, Silent()).items:
        print(f"{item.case}: {item.status}, score {item.score or 0:.2f} {item.reason or ''}")
    training = StudentTrainRequest(
        labeled_set=made,
        output=output / "student.safetensors",
        network="unet",
        settings=student,
        overwrite=True,
    )
    trained = student_train(training, Silent())
    print(f"{trained.student}: trained on {trained.samples} slices, last loss {trained.loss:.3f}")
    return trained


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))
