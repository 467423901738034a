"""Cases that accuracy is measured on: the chest CT that pip installs, and a folder of real images."""

import json
from dataclasses import dataclass
from pathlib import Path

from sammed.jobs.inputs import demo_pair

from sammed_volumes.formats import read_labels, read_volume
from sammed_volumes.labels import LabelVolume
from sammed_volumes.volume import Volume


@dataclass(frozen=True, slots=True)
class Case:
    """One volume: the labels to learn (names by value), at once or one by one, and from how many slices."""

    group: str
    image: Path
    labels: Path
    names: tuple[tuple[int, str], ...]
    slices: int
    at_once: bool = True

    @property
    def name(self) -> str:
        """Group and folder, as shown in tables."""
        return f"{self.group} {self.image.parent.name}" if self.group != "chest CT" else self.group

    @property
    def tasks(self) -> list[tuple[int, ...]]:
        """The label values of each skill that is learned."""
        values = tuple(value for value, _ in self.names)
        return [values] if self.at_once else [(value,) for value in values]

    def open(self) -> tuple[Volume, LabelVolume]:
        """The image and its labels."""
        return read_volume(self.image), read_labels(self.labels)


# Least Dice that was asked for, by group and label.
TARGETS = {
    ("chest CT", "right lung"): 0.96,
    ("chest CT", "left lung"): 0.96,
    ("spleen CT", "spleen"): 0.965,
    ("ACDC", "left ventricle"): 0.965,
    ("ACDC", "right ventricle"): 0.93,
    ("ACDC", "myocardium"): 0.80,
    ("left atrium", "left atrium"): 0.89,
    ("abdomen CT", "liver"): 0.96,
    ("abdomen CT", "kidney_right"): 0.92,
    ("abdomen CT", "kidney_left"): 0.92,
    ("abdomen CT", "spleen"): 0.955,
    ("abdomen CT", "aorta"): 0.89,
    ("abdomen CT", "stomach"): 0.91,
}


def find_cases(data: Path | None) -> list[Case]:
    """The chest CT, and what the folder holds of the sets named in TARGETS."""
    pair = demo_pair()
    lungs = ((5, "right lung"), (6, "left lung"))
    cases = [Case("chest CT", pair.image, pair.labels, lungs, slices=5)]
    if data is None:
        return cases
    heart = ((1, "right ventricle"), (2, "myocardium"), (3, "left ventricle"))
    cases += _folders(data, "spleen-ct-msd-crop", "spleen CT", ((1, "spleen"),), 5)
    cases += _abdomen(data / "abdomen-ct-totalseg" / "ct_full_3mm")
    cases += _folders(data, "left-atrium-mri/*", "left atrium", ((1, "left atrium"),), 5)
    cases += _folders(data, "heart-acdc/*", "ACDC", heart, 2)
    return cases


def _folders(
    data: Path, pattern: str, group: str, names: tuple[tuple[int, str], ...], slices: int
) -> list[Case]:
    return [
        Case(group, folder / "image.nii.gz", folder / "label.nii.gz", names, slices)
        for folder in sorted(data.glob(pattern))
        if (folder / "image.nii.gz").is_file()
    ]


def _abdomen(folder: Path) -> list[Case]:
    if not folder.is_dir():
        return []
    known = json.loads((folder / "label-names.json").read_text())
    wanted = {name for group, name in TARGETS if group == "abdomen CT"}
    names = tuple((int(value), name) for value, (name, _count) in known.items() if name in wanted)
    image, labels = folder / "image.nii.gz", folder / "label.nii.gz"
    return [Case("abdomen CT", image, labels, names, slices=5, at_once=False)]
