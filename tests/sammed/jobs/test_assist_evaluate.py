"""`assist-evaluate`: which slices and labels simulated users are measured on, and what the rows hold."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sammed.errors import AnnotationError, ConfigError
from sammed.jobs.assist_evaluate import AssistEvaluateRequest, ClickingRow, assist_evaluate
from sammed.progress import Silent
from sammed.skills.skill_file import read_skill
from sammed_volumes.errors import LabelError, VolumeError
from sammed_volumes.formats import read_labels, write_labels
from tests.conftest import Phantom
from tests.sammed.conftest import Case


def run(case: Case, **settings: Any) -> tuple[ClickingRow, ...]:
    quick: dict[str, Any] = {
        "points": (1,),
        "boxes": True,
        "composite": False,
        "seeds": (0,),
        "label": ("heart",),
    }
    request = AssistEvaluateRequest(image=case.image, labels=case.labels, **{**quick, **settings})
    return assist_evaluate(request, Silent()).rows


def slices_with(case: Case, value: int) -> set[int]:
    return set(np.flatnonzero((read_labels(case.labels).voxels == value).any(axis=(0, 1))).tolist())


def test_the_plain_backbone_beside_the_skill(case: Case, skill: Path) -> None:
    rows = run(case, skill=skill)
    assert [(row.trained, row.prompt, row.count) for row in rows] == [
        (False, "points", 1),
        (False, "box", 0),
        (True, "points", 1),
        (True, "box", 0),
    ]
    assert {row.backbone for row in rows} == {"tiny"}
    assert all(0 <= row.dice_mean <= 1 and row.dice_std >= 0 for row in rows)
    learned_from = read_skill(skill).annotations.indices
    assert {row.slices for row in rows} == {len(slices_with(case, 2) - set(learned_from))}


def test_without_a_skill_all_slices_count(case: Case) -> None:
    rows = run(case)
    assert not any(row.trained for row in rows)
    assert rows[0].slices == len(slices_with(case, 2))


def test_more_seeds_are_a_mean_over_the_same_slices(case: Case) -> None:
    alone = [run(case, boxes=False, seeds=(seed,))[0] for seed in (3, 4)]
    (both,) = run(case, boxes=False, seeds=(3, 4))
    assert both.slices == alone[0].slices
    assert both.dice_mean == pytest.approx(np.mean([row.dice_mean for row in alone]))


def test_slices_that_are_left_out(case: Case) -> None:
    (row,) = run(case, points=(), exclude_slices=(5, 6))
    assert row.slices == len(slices_with(case, 2) - {5, 6})


def test_every_label_unless_one_is_named(case: Case, skill: Path) -> None:
    (row,) = run(case, boxes=False, label=())
    assert row.slices == sum(len(slices_with(case, value)) for value in (1, 2, 4))


def test_what_can_not_be_measured(case: Case, skill: Path, phantom: Callable[..., Phantom]) -> None:
    with pytest.raises(LabelError, match="no label 'spleen'"):
        run(case, label=("spleen",), skill=skill)
    with pytest.raises(VolumeError, match="Slice 77 is outside the volume") as raised:
        run(case, exclude_slices=(77,))
    assert str(case.image) in str(raised.value)
    everything = tuple(slices_with(case, 2))
    with pytest.raises(AnnotationError, match="No slice that is left to measure on shows 'heart'") as empty:
        run(case, exclude_slices=everything)
    assert str(case.labels) in str(empty.value)


def test_a_label_that_the_skill_does_not_know(
    case: Case, skill: Path, phantom: Callable[..., Phantom]
) -> None:
    made = phantom()
    voxels = np.where(made.labels.voxels == 4, 7, made.labels.voxels).astype(np.uint8)
    named = (*made.labels.labels[:2], replace(made.labels.labels[2], value=7))
    write_labels(
        replace(made.labels, voxels=voxels, labels=named), case.labels, like=made.volume, overwrite=True
    )
    with pytest.raises(AnnotationError, match="doesn't know 'tumour'") as raised:
        run(case, skill=skill, label=("7",))
    assert str(skill) in str(raised.value)
    only = np.where(voxels == 7, 7, 0).astype(np.uint8)
    write_labels(
        replace(made.labels, voxels=only, labels=named[2:]), case.labels, like=made.volume, overwrite=True
    )
    with pytest.raises(AnnotationError, match="shows no label that "):
        run(case, skill=skill, label=())


def test_defaults_are_those_of_the_paper() -> None:
    request = AssistEvaluateRequest(image=Path("image.nii.gz"), labels=Path("label.nii.gz"))
    assert request.points == (1, 3, 5, 10)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        pytest.param({"points": (0,)}, "one point or more, not 0", id="no point"),
        pytest.param({"seeds": ()}, "one seed or more", id="no seed"),
        pytest.param(
            {"points": (), "boxes": False, "composite": False},
            "nothing to simulate",
            id="nothing to simulate",
        ),
    ],
)
def test_requests_that_make_no_sense(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=rf"{sentence}.*\.$"):
        AssistEvaluateRequest(image=Path("image.nii.gz"), labels=Path("label.nii.gz"), **settings)
