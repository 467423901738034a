"""Simulated users on a file: which slices and labels they are measured on, and what the rows say."""

from dataclasses import replace

import numpy as np
import pytest
from sammed.jobs.clicking import evaluate_clicks
from sammed.jobs.requests import ClickingRequest

from sammed.errors import AnnotationError
from sammed.progress import Silent
from sammed.skills.skill_file import read_skill
from sammed_volumes.errors import LabelError, VolumeError
from sammed_volumes.formats import read_labels, write_labels


def run(case, **settings):
    quick = {"points": (1,), "boxes": True, "composite": False, "seeds": (0,), "label": ("heart",)}
    request = ClickingRequest(image=case.image, labels=case.labels, **{**quick, **settings})
    return evaluate_clicks(request, Silent()).rows


def slices_with(case, value: int) -> set[int]:
    return set(np.flatnonzero((read_labels(case.labels).voxels == value).any(axis=(0, 1))).tolist())


def test_the_plain_backbone_beside_the_skill(case, skill):
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


def test_without_a_skill_all_slices_count(case):
    rows = run(case)
    assert not any(row.trained for row in rows)
    assert rows[0].slices == len(slices_with(case, 2))


def test_more_seeds_are_a_mean_over_the_same_slices(case):
    alone = [run(case, boxes=False, seeds=(seed,))[0] for seed in (3, 4)]
    (both,) = run(case, boxes=False, seeds=(3, 4))
    assert both.slices == alone[0].slices
    assert both.dice_mean == pytest.approx(np.mean([row.dice_mean for row in alone]))


def test_slices_that_are_left_out(case):
    (row,) = run(case, points=(), exclude_slices=(5, 6))
    assert row.slices == len(slices_with(case, 2) - {5, 6})


def test_every_label_unless_one_is_named(case, skill):
    (row,) = run(case, boxes=False, label=())
    assert row.slices == sum(len(slices_with(case, value)) for value in (1, 2, 4))


def test_what_can_not_be_measured(case, skill, phantom):
    with pytest.raises(LabelError, match="no label 'spleen'"):
        run(case, label=("spleen",), skill=skill)
    with pytest.raises(VolumeError, match="Slice 77 is outside the volume") as raised:
        run(case, exclude_slices=(77,))
    assert str(case.image) in str(raised.value)
    everything = tuple(slices_with(case, 2))
    with pytest.raises(AnnotationError, match="No slice that is left to measure on shows 'heart'") as raised:
        run(case, exclude_slices=everything)
    assert str(case.labels) in str(raised.value)


def test_a_label_that_the_skill_does_not_know(case, skill, phantom):
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
