"""Cases that accuracy is measured on: the chest CT that pip installs, and a folder of real images."""

import json
from dataclasses import dataclass
from pathlib import Path

from bench.accuracy.targets import DICE
from sammed.jobs.demo_data import DEMO_LABELS, demo_pair

Names = tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class Case:
    """One volume: the labels to learn (names by value), together or one by one, and from how many slices."""

    group: str
    image: Path
    labels: Path
    names: Names
    slices: int
    together: bool = True

    @property
    def folder(self) -> str:
        """The folder's name, which tells the cases of a group apart; the chest CT needs none."""
        return "" if self.group == "chest CT" else self.image.parent.name

    @property
    def tasks(self) -> list[tuple[int, ...]]:
        """The label values of each skill to learn."""
        values = tuple(value for value, _ in self.names)
        return [values] if self.together else [(value,) for value in values]


def find_cases(data: Path | None) -> list[Case]:
    """Return the chest CT, and the cases of the sets that the folder has."""
    pair = demo_pair()
    lungs = tuple(zip((5, 6), DEMO_LABELS, strict=True))
    cases = [Case("chest CT", pair.image, pair.labels, lungs, slices=5)]
    if data is None:
        return cases
    heart = ((1, "right ventricle"), (2, "myocardium"), (3, "left ventricle"))
    cases += _folders(data, "spleen-ct-msd-crop", "spleen CT", ((1, "spleen"),), 5)
    cases += _abdomen(data / "abdomen-ct-totalseg" / "ct_full_3mm")
    cases += _folders(data, "left-atrium-mri/*", "left atrium", ((1, "left atrium"),), 5)
    cases += _folders(data, "heart-acdc/*", "ACDC", heart, 2)
    cases += _folders(data, "hippocampus-msd/*", "hippocampus", ((1, "anterior"), (2, "posterior")), 5)
    cases += _folders(data, "lung-proton-mri/*", "lung MRI", ((1, "lung 1"), (2, "lung 2")), 5)
    zones = ((1, "peripheral zone"), (2, "central gland"))
    cases += _folders(data, "prostate-mri-prostatex", "prostate MRI", zones, 5)
    cases += _folders(data, "brain-tumor-lgg-flair/*", "glioma MRI", ((1, "tumor"),), 5)
    return cases


def _folders(data: Path, pattern: str, group: str, names: Names, slices: int) -> list[Case]:
    return [
        Case(group, folder / "image.nii.gz", folder / "label.nii.gz", names, slices)
        for folder in sorted(data.glob(pattern))
        if (folder / "image.nii.gz").is_file()
    ]


def _abdomen(folder: Path) -> list[Case]:
    if not folder.is_dir():
        return []
    known = json.loads((folder / "label-names.json").read_text(encoding="utf-8"))
    wanted = {name for group, name in DICE if group == "abdomen CT"}
    names = tuple((int(value), name) for value, (name, _count) in known.items() if name in wanted)
    image, labels = folder / "image.nii.gz", folder / "label.nii.gz"
    return [Case("abdomen CT", image, labels, names, slices=5, together=False)]
