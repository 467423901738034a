"""A program in place of `sammed`: it labels slowly, without a network, and writes the same files.

    python labeler_to_kill.py FAULT auto-label SCANS --skill SKILL --output OUTPUT

FAULT is what it does wrong with an output that an earlier process began: nothing, voxels or leftovers.
"""

import json
import sys
import time
from pathlib import Path

from sammed.batch.manifest import MANIFEST_NAME
from sammed.storage.provenance import Provenance, provenance_beside
from sammed_volumes.formats import read_volume, write_labels
from sammed_volumes.labels import Label, LabelVolume

SECONDS = 0.1  # for each volume


def main(fault: str, _command: str, scans: str, _option: str, _skill: str, _output: str, output: str) -> None:
    manifest = Path(output) / MANIFEST_NAME
    has_begun = manifest.exists()
    for path in sorted(Path(scans).rglob("*.nii.gz")):
        place = Path(output) / path.relative_to(scans).parent / path.name.replace(".nii", "_label.nii")
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            with manifest.open("a") as file:
                file.write(json.dumps({"image": path.name, "seconds": SECONDS}) + "\n")
            time.sleep(SECONDS)
            label(path, place, threshold=100 if fault == "voxels" and has_begun else 0)
    if fault == "leftovers" and has_begun:
        (Path(output) / "leftover").touch()


def label(path: Path, place: Path, threshold: int) -> None:
    volume = read_volume(path)
    voxels = (volume.voxels > threshold).astype("uint8")
    provenance = Provenance(image_file=path.name, image_sha256="0" * 64, origin="pseudo")
    labels = LabelVolume(voxels, volume.affine_ras_mm, (Label(1, "disc", (0, 0, 0)),))
    with provenance_beside(place, provenance, overwrite=True):
        write_labels(labels, place, like=volume)


if __name__ == "__main__":
    main(*sys.argv[1:])
