"""Sets that pseudo-labels are measured on: labeled throughout, and how little of them is shown as gold."""

import re
from dataclasses import dataclass, replace
from pathlib import Path

from sammed.datasets.labeled_sets.hiding import keep_gold, keep_slices
from sammed.datasets.labeled_sets.labeled_set import GOLD, NONE, Case, LabeledSet
from sammed.datasets.labeled_sets.splits import split_cases
from sammed.datasets.students.config import StudentConfig
from sammed_volumes.intensity import Window
from sammed_volumes.labels import Label

_RED, _GREEN, _BLUE = (220, 60, 60), (60, 200, 80), (70, 110, 230)
# What volumes get by default, said aloud, so that every method shows the same pictures.
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
    """A set whose truth is known, and how little of it is shown.

    `tested` cases are measured on; those that match `group` alike go together. With `same_test` they are the
    same for all seeds. Of the training cases `gold` keep their labels, or those whose names match
    `gold_cases`, and of these `slices` slices (None: all). With `rest` the other slices of gold volumes are
    labeled as well. `weak` are the numbers of weak labels that are added to the gold, `auto` settings of
    that method.
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
class Draw:
    """What one seed shows of a set: `visible` to a method, `truth` to who measures."""

    visible: LabeledSet
    truth: LabeledSet
    wanted: tuple[Case, ...]


def draw(source: Source, seed: int) -> Draw:
    """Split and hide by the seed."""
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
    return Draw(visible, truth, wanted)


def _hidden_unless(case: Case, pattern: str, labeled_set: LabeledSet) -> Case:
    if labeled_set.split_of(case) != "train" or re.search(pattern, case.name):
        return case
    return replace(case, labels=None, origin=NONE)


def find_sets(data: Path) -> dict[str, Source]:
    """The sets by name, those that the folder has."""
    found = {
        "hippocampus": _hippocampus(data / "hippocampus-msd"),
        "ACDC": _acdc(data / "heart-acdc"),
        "BUSI": _pictures(data / "2d-busi-ultrasound", "tumour", (5, 10)),
        "X-ray": _pictures(data / "2d-lung-xray", "lungs", (5, 10)),
        "polyps": _pictures(data / "2d-polyp-cvc612", "polyp", (2, 5)),
    }
    return {name: source for name, source in found.items() if source.truth.cases}


def _hippocampus(folder: Path) -> Source:
    """35 of the volumes: 20 to test on, 15 to learn from; 5 slices of 5 of these are gold."""
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
    """8 patients, 2 of them to test on; of the others two slices at end-diastole are gold, nothing else."""
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
