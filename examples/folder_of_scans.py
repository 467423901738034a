"""A folder of scans and one skill: label them all, go on after a bad file, say what came of each.

    python examples/folder_of_scans.py [SCANS SKILL]

Without arguments: learns both lungs from the chest CT that pip installed, and labels a folder in which that
CT and a broken file lie. Label volumes go into `example-output/labels/`; what is there already is skipped.
"""

import shutil
import sys
from pathlib import Path

from sammed.jobs.inputs import DEMO_LABELS, demo_pair

from sammed import LabelingRequest, LabelingResult, Silent, TrainingRequest, label, train

CT_NAME = "chest.nrrd"


def main(
    scans: Path | None = None, skill: Path | None = None, output: Path = Path("example-output")
) -> LabelingResult:
    """Label every volume in the folder `scans`, and in those below it, into `output`/labels."""
    request = LabelingRequest(
        inputs=(scans or demo_scans(output / "scans"),),
        skill=skill or demo_skill(output / "lungs.safetensors"),
        output=output / "labels",
    )
    result = label(request, Silent())
    for item in result.items:
        what = item.error or f"{item.output}: {', '.join(item.labels)} in {item.slices} slices"
        print(f"{item.image.name:20} {item.status:8} {what}")
    return result


def demo_scans(folder: Path) -> Path:
    """A folder with the chest CT, and a file that is no image."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(demo_pair().image, folder / CT_NAME)
    (folder / "broken.nii.gz").write_bytes(b"this is no scan")
    return folder


def demo_skill(path: Path) -> Path:
    """A skill for both lungs, learned from five slices unless it is there already."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        pair = demo_pair()
        request = TrainingRequest(
            image=pair.image, labels=pair.labels, label=DEMO_LABELS, slices=5, draw="even", output=path
        )
        train(request, Silent())
    return path


if __name__ == "__main__":
    failed = main(*map(Path, sys.argv[1:3])).count("failed")
    sys.exit(1 if failed else 0)
