"""Sets that pseudo-labels are measured on: fully labeled, of which a few labels are shown as gold."""

import re
from dataclasses import dataclass, replace
from pathlib import Path

from sammed.datasets.labeled_sets.hiding import keep_gold, keep_slices
from sammed.datasets.labeled_sets.labeled_set import GOLD, Case, LabeledSet
from sammed.datasets.labeled_sets.splits import split_cases
from sammed.datasets.students.config import StudentConfig
from sammed_volumes.intensity import Window
from sammed_volumes.labels import Label

_RED, _GREEN, _BLUE = (220, 60, 60), (60, 200, 80), (70, 110, 230)
# The default of volumes, made explicit so that every method shows the same pictures.
_WINDOW = Window(0.0, 99.5, "percentile")
_PICTURES = StudentConfig(
    network="unet",
    size_px=80,
    features=(16, 16, 32, 64, 128, 16),
    loss="dice+ce",
    optimizer="adam",
    learning_rate=2e-3,
    batch_size=4,
    steps=200,
)


@dataclass(frozen=True, slots=True)
class Source:
    """A set whose truth is known, and how much of it is shown.

    `tested` is the number of test cases. Cases for which `group` matches the same text stay in one split.
    With `same_test` all seeds share the test cases. Training cases keep their labels if they are among `gold`
    random ones, or if `gold_cases` matches their names; of these `slices` slices are gold (None: all). With
    `rest` the other slices of gold volumes are labeled as well. `weak` lists the numbers of weak labels to
    add to the gold. `auto` are settings of that method.
    """

    truth: LabeledSet
    tested: int
    weak: tuple[int, ...]
    gold: int | None = None
    gold_cases: str | None = None
    slices: int | None = None
    group: str | None = None
    same_test: bool = False
    rest: bool = False
    auto: tuple[tuple[str, str], ...] = ()
    student: StudentConfig = _PICTURES


@dataclass(frozen=True, slots=True)
class Shown:
    """A set as one seed shows it: `visible` to a method, `truth` for measuring, `wanted` cases to label."""

    visible: LabeledSet
    truth: LabeledSet
    wanted: tuple[Case, ...]


def show(source: Source, seed: int) -> Shown:
    """Split the set and hide labels, both by the seed."""
    split_seed = 0 if source.same_test else seed
    truth = split_cases(source.truth, test=source.tested, seed=split_seed, group=source.group)
    visible = truth
    if source.gold_cases is not None:
        visible = truth.with_cases([_hidden_unless(each, source.gold_cases, truth) for each in truth.cases])
    if source.gold is not None:
        visible = keep_gold(visible, source.gold, seed=seed)
    if source.slices is not None:
        visible = keep_slices(visible, source.slices)
    training = visible.part("train").cases
    wanted = tuple(case for case in training if not case.is_labeled or (source.rest and case.is_partial))
    return Shown(visible, truth, wanted)


def _hidden_unless(case: Case, pattern: str, labeled_set: LabeledSet) -> Case:
    if labeled_set.split_of(case) != "train" or re.search(pattern, case.name):
        return case
    return case.without_labels()


def find_sets(data: Path) -> dict[str, Source]:
    """Return the sets that the folder has, by name."""
    found = {
        "hippocampus": _hippocampus(data / "hippocampus-msd"),
        "ACDC": _acdc(data / "heart-acdc"),
        "BUSI": _pictures(data / "2d-busi-ultrasound", "tumour", (5, 10)),
        "X-ray": _pictures(data / "2d-lung-xray", "lungs", (5, 10)),
        "polyps": _pictures(data / "2d-polyp-cvc612", "polyp", (2, 5)),
    }
    return {name: source for name, source in found.items() if source.truth.cases}


def _hippocampus(folder: Path) -> Source:
    """35 of the volumes: 20 test cases, and 15 training cases, 5 of which have 5 gold slices."""
    labels = (Label(1, "anterior", _RED), Label(2, "posterior", _BLUE))
    cases = _folders(folder)[:35]
    truth = LabeledSet(folder, labels, cases, window=_WINDOW)
    student = replace(_PICTURES, size_px=64, batch_size=8)
    return Source(
        truth,
        tested=20,
        weak=(15,),
        gold=5,
        slices=5,
        same_test=True,
        rest=True,
        auto=(("positions", "yes"),),  # crops of one organ
        student=student,
    )


def _acdc(folder: Path) -> Source:
    """8 patients, 2 of them test cases; the others have two gold slices each, at end-diastole."""
    labels = (
        Label(1, "right ventricle", _RED),
        Label(2, "myocardium", _GREEN),
        Label(3, "left ventricle", _BLUE),
    )
    truth = LabeledSet(folder, labels, _folders(folder), window=_WINDOW)
    student = replace(_PICTURES, size_px=128, steps=250)
    return Source(
        truth,
        tested=4,
        weak=(12,),
        gold_cases="_frame01$",
        slices=2,
        group=r"patient\d+",
        rest=True,
        student=student,
    )


def _pictures(folder: Path, label: str, weak: tuple[int, ...]) -> Source:
    masks = sorted((folder / "masks").glob("*.png"))
    images = {path.stem: path for path in (folder / "images").glob("*")}
    cases = tuple(Case(mask.stem, images[mask.stem], mask, GOLD) for mask in masks)
    return Source(LabeledSet(folder, (Label(255, label, _RED),), cases), tested=5, weak=weak, gold=10)


def _folders(folder: Path) -> tuple[Case, ...]:
    return tuple(
        Case(each.name, each / "image.nii.gz", each / "label.nii.gz", GOLD)
        for each in sorted(folder.glob("*"))
        if (each / "label.nii.gz").is_file()
    )
