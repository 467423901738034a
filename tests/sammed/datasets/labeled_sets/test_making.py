"""Making a set of what was gathered: bad cases are told, the others are kept; splits and hiding."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sammed.datasets.labeled_sets.folder_reader import gather_pairs
from sammed.datasets.labeled_sets.gathered import Gathered, Problem
from sammed.datasets.labeled_sets.hiding import keep_gold, keep_slices
from sammed.datasets.labeled_sets.labeled_set import Case, LabeledSet
from sammed.datasets.labeled_sets.making import make_set
from sammed.datasets.labeled_sets.pictures import pictures_of
from sammed.datasets.labeled_sets.splits import split_cases
from sammed.errors import ConfigError, SetError
from sammed.progress import Silent
from sammed_volumes.labels import default_label
from tests.sammed.conftest import Notes
from tests.sammed.datasets.conftest import labels_of


@pytest.fixture
def discs(tmp_path: Path, save_disc: Callable[..., np.ndarray]) -> Gathered:
    for number in range(8):
        save_disc(tmp_path / f"images/d{number}.png", tmp_path / f"masks/d{number}.png", (10 + number, 18))
    return gather_pairs(tmp_path / "images", tmp_path / "masks")


def test_labels_come_from_the_masks_and_names_from_the_person(tmp_path: Path, discs: Gathered) -> None:
    made, problems = make_set(discs, tmp_path, Silent(), names={1: "disc"})
    assert problems == ()
    assert [(label.value, label.name) for label in made.labels] == [(1, "disc")]
    assert len(made.cases) == 8


def test_values_that_a_person_did_not_name_are_told(
    tmp_path: Path, discs: Gathered, save_disc: Callable[..., np.ndarray], notes: Notes
) -> None:
    save_disc(tmp_path / "images/d9.png", tmp_path / "masks/d9.png", (30, 20), value=7)
    made, _ = make_set(
        gather_pairs(tmp_path / "images", tmp_path / "masks"), tmp_path, notes, names={1: "disc"}
    )
    assert notes.messages == ["Some labels have no name, perhaps by mistake: 7."]
    assert [label.value for label in made.labels] == [1, 7]


def test_bad_cases_are_told_and_the_others_kept(tmp_path: Path, discs: Gathered) -> None:
    images = tmp_path / "images"
    shutil.copy(images / "d0.png", images / "d1.png")  # a twin
    (images / "d2.png").write_bytes(b"no picture")
    (images / "d3.png").unlink()
    Image.fromarray(np.ones((3, 4), dtype=np.uint8)).save(tmp_path / "masks/d4.png")  # another grid
    made, problems = make_set(discs, tmp_path, Silent())
    assert [case.name for case in made.cases] == ["d0", "d5", "d6", "d7"]
    reasons = {problem.case: problem.reason for problem in problems}
    assert "same image as in case d0" in reasons["d1"]
    assert "it is text; copy or export it again" in reasons["d2"]
    assert "no such file" in reasons["d3"]
    assert "not on the grid" in reasons["d4"]


def test_what_the_reader_missed_is_told_with_the_rest(tmp_path: Path, discs: Gathered) -> None:
    missing = tuple(Problem(f"m{number}", "it has no image") for number in range(8))  # as many as there are
    made, problems = make_set(replace(discs, problems=missing), tmp_path, Silent())
    assert (len(made.cases), problems) == (8, missing)


def test_a_name_for_a_value_that_no_mask_has(tmp_path: Path, save_disc: Callable[..., np.ndarray]) -> None:
    save_disc(tmp_path / "images/a.png", tmp_path / "masks/a.png", value=255)
    gathered = gather_pairs(tmp_path / "images", tmp_path / "masks")
    with pytest.raises(SetError, match=r"value 1, so it can't be named polyp; the only value is 255\."):
        make_set(gathered, tmp_path, Silent(), names={1: "polyp"})
    made, _ = make_set(gathered, tmp_path, Silent(), names={255: "polyp"})
    assert [(label.value, label.name) for label in made.labels] == [(255, "polyp")]
    many = replace(gathered, labels=tuple(default_label(value) for value in range(1, 30)))
    with pytest.raises(SetError, match=r"the values are 1, 2, .*, 20, and more\."):
        make_set(many, tmp_path, Silent(), names={255: "polyp"})


def test_a_set_of_bad_cases_alone_is_refused(tmp_path: Path) -> None:
    gathered = Gathered((Case("a", tmp_path / "a.png"),), (default_label(1),))
    with pytest.raises(SetError, match="None of 1 cases"):
        make_set(gathered, tmp_path, Silent())


def test_images_alone_are_a_set_where_a_person_names_the_labels(tmp_path: Path, discs: Gathered) -> None:
    alone = gather_pairs(tmp_path / "images", None)
    made, problems = make_set(alone, tmp_path, Silent(), names={1: "disc", 4: "ring"})
    assert problems == ()
    assert [(label.value, label.name) for label in made.labels] == [(1, "disc"), (4, "ring")]
    assert {case.origin for case in made.cases} == {"none"}
    with pytest.raises(SetError, match="with --name VALUE=NAME"):
        make_set(alone, tmp_path, Silent())


def test_a_set_without_any_label_is_refused(tmp_path: Path, save_disc: Callable[..., np.ndarray]) -> None:
    save_disc(tmp_path / "images/a.png", tmp_path / "masks/a.png", value=0)
    with pytest.raises(SetError, match="nothing to learn; label cases first"):
        make_set(gather_pairs(tmp_path / "images", tmp_path / "masks"), tmp_path, Silent())


def gold(count: int, name: str = "p{}_f{}") -> LabeledSet:
    cases = [
        Case(name.format(number // 2, number % 2), Path(f"{number}.png"), Path(f"{number}_l.png"), "gold")
        for number in range(count)
    ]
    return LabeledSet(Path(), (default_label(1),), tuple(cases))


def test_splits_follow_the_seed_and_part_the_set() -> None:
    first, again, other = (split_cases(gold(20), test=4, validation=3, seed=seed) for seed in (0, 0, 1))
    assert first.splits == again.splits != other.splits
    sizes = [len(first.part(split).cases) for split in ("train", "validation", "test")]
    assert sizes == [13, 3, 4]


def test_a_patients_cases_stay_together() -> None:
    made = split_cases(gold(20), test=4, seed=3, group=r"^(p\d+)_")
    by_patient: dict[str, set[str]] = {}
    for name, split in made.splits.items():
        by_patient.setdefault(name.split("_")[0], set()).add(split)
    assert all(len(splits) == 1 for splits in by_patient.values())
    assert len(made.part("test").cases) == 4


def test_what_cannot_be_measured_on_is_not_drawn() -> None:
    labeled_set = gold(4)
    partial = Case("partial", Path("p.png"), Path("l.png"), "gold", annotated_slices=(0,))
    labeled_set = labeled_set.with_cases([*labeled_set.cases, partial, Case("bare", Path("b.png"))])
    made = split_cases(labeled_set, test=4)
    assert {case.name for case in made.part("train").cases} == {"partial", "bare"}
    with pytest.raises(SetError, match="more than the 4 fully annotated gold cases"):
        split_cases(labeled_set, test=5)


def test_a_split_that_leaves_nothing_is_refused() -> None:
    with pytest.raises(SetError, match="no case is left to train on"):
        split_cases(gold(3), test=3)
    with pytest.raises(ConfigError, match="not a regular expression"):
        split_cases(gold(3), test=1, group="(")


def test_hidden_labels_leave_the_test_cases_alone() -> None:
    labeled_set = keep_gold(split_cases(gold(10), test=3), 2, seed=1)
    assert len(labeled_set.part("train").gold) == 2
    assert len(labeled_set.part("train").unlabeled) == 5
    assert len(labeled_set.part("test").gold) == 3
    with pytest.raises(SetError, match="3 labels can't be kept"):
        keep_gold(labeled_set, 3)


def test_kept_slices_lie_evenly_in_the_labels(tmp_path: Path, save_phantom: Callable[..., None]) -> None:
    save_phantom(tmp_path / "images/a.nii.gz", tmp_path / "masks/a.nii.gz")
    made, _ = make_set(gather_pairs(tmp_path / "images", tmp_path / "masks"), tmp_path, Silent())
    (case,) = keep_slices(made, 3).cases
    assert case.annotated_slices is not None
    assert len(case.annotated_slices) == 3
    known = [picture for picture in pictures_of(case, made) if picture.labels is not None]
    assert len(known) == 3
    assert all(labels_of(picture).any() for picture in known)
