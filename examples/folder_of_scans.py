"""A folder of scans and one skill: label all scans, continue after a bad file, print the outcome of each.

    python examples/folder_of_scans.py [SCANS SKILL]

Without arguments: learns both lungs from the chest CT that pip installed, and labels a folder with that CT
and a broken file. Label volumes go to `example-output/labels/`; a second run skips what is done.
"""

import shutil
import sys
from pathlib import Path

import sammed
from sammed.batch.result import LabelingResult
from sammed.jobs.auto_label import AutoLabelRequest, auto_label
from sammed.jobs.demo_data import DEMO_LABELS, demo_pair

CT_NAME = "chest.nrrd"


def main(
    scans: Path | None = None, skill: Path | None = None, output: Path = Path("example-output")
) -> LabelingResult:
    """Label every volume in the folder `scans` and in its subfolders, into `output`/labels."""
    request = AutoLabelRequest(
        inputs=(scans or demo_scans(output / "scans"),),
        skill=skill or demo_skill(output / "lungs.safetensors"),
        output=output / "labels",
    )
    result = auto_label(request, sammed.Silent())
    for item in result.items:
        what = item.error or f"{item.output}: {', '.join(item.labels)} in {item.slices} slices"
        print(f"{item.image.name:20} {item.status:8} {what}")
    return result


def demo_scans(folder: Path) -> Path:
    """Make a folder with the chest CT and a file that is not an image."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(demo_pair().image, folder / CT_NAME)
    (folder / "broken.nii.gz").write_bytes(b"this is not a scan")
    return folder


def demo_skill(path: Path) -> Path:
    """Learn a skill for both lungs from five slices, unless it exists."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        pair = demo_pair()
        sammed.learn(pair.image, pair.labels, labels=DEMO_LABELS, slices=5, draw="even").save(path)
    return path


if __name__ == "__main__":
    failed = main(*map(Path, sys.argv[1:3])).count("failed")
    sys.exit(1 if failed else 0)
