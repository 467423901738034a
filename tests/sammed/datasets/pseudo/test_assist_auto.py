"""SAM^Med as a pseudo-labeller, with a SAM that marks what is as bright as its prompt."""

import json
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest

from sammed.assist.training import LearnedEncoder
from sammed.errors import PromptError
from sammed.jobs.set_making import moved
from sammed.skills.training import LearningConfig
from sammed.metrics.evaluation import dice
from sammed.progress import Silent
from sammed.datasets.pseudo.assist import AssistLabelConfig, AssistLabeller
from sammed.datasets.pseudo.auto import AutoLabelConfig, AutoLabeller
from sammed.datasets.pseudo.pseudo_labeler import Tools
from sammed.datasets.labeled_sets.labeled_set import Case, LabelledSet
from sammed.datasets.labeled_sets.set_file import write_set
from tests.sammed.pseudo.conftest import disc

CENTRES = {"a": (12, 12), "b": (30, 20), "c": (20, 28), "d": (34, 12)}


@pytest.fixture
def tools(brightness_backbone) -> Tools:
    return Tools(backbone=lambda: brightness_backbone)


@pytest.fixture
def discs(set_maker) -> LabelledSet:
    """Discs in pictures of one shape, two of them gold."""
    for name, centre in CENTRES.items():
        set_maker.add(name, disc(centre), gold=name in "ab")
    return set_maker.made()


def found_dice(found) -> dict[str, float]:
    assert [each.reason for each in found if each.labels is None] == []
    return {each.case: dice(each.labels.voxels[:, :, 0].T > 0, disc(CENTRES[each.case])) for each in found}


def gold(labelled_set: LabelledSet) -> LabelledSet:
    return labelled_set.keep(lambda case: case.is_gold)


@pytest.mark.parametrize("style", ["box", "point", "points", "box+points"])
def test_assist_marks_what_it_is_prompted_for(discs, set_maker, tools, tmp_path, style):
    truth = tmp_path / "truth"
    truth.mkdir()
    for name in "cd":
        set_maker.add(f"{name}-truth", disc(CENTRES[name]), gold=True)
    known = set_maker.made()
    cases = [replace(known.case(f"{name}-truth"), name=name) for name in "cd"]
    write_set(moved(known.with_cases(cases), truth))
    config = AssistLabelConfig(truth=truth, style=style, box_inner=0.0, box_outer=0.0)
    labeller = AssistLabeller(config, tools)
    found = list(labeller.label(gold(discs), discs.unlabelled, Silent()))
    assert labeller.name == "assist-simulated"
    assert min(found_dice(found).values()) > 0.8
    assert all(0.5 < each.score <= 1 for each in found)


def test_slices_without_a_persons_prompt_are_ignored(set_maker, tools, tmp_path):
    """A box in slices 1 and 3 of 5: nobody knows whether the others were looked at."""
    mask = disc(CENTRES["c"])
    voxels = np.repeat((50 + 150 * mask).astype(np.int16).T[:, :, None], 5, axis=2)
    nibabel.save(nibabel.Nifti1Image(voxels, np.diag([1.0, 1.0, 4.0, 1.0])), tmp_path / "volume.nii.gz")
    set_maker.add("a", disc(CENTRES["a"]), gold=True)
    made = set_maker.made()
    volume = Case("volume", Path("volume.nii.gz"))
    labelled_set = made.with_cases([*made.cases, volume])
    i, j = (np.flatnonzero(voxels[:, :, 0].max(axis=other) > 100)[[0, -1]].tolist() for other in (1, 0))
    boxes = [[i[0], j[0], k, i[1], j[1], k] for k in (1, 3)]
    (tmp_path / "volume.json").write_text(json.dumps({"prompts": [{"label": "disc", "boxes": boxes}]}))
    labeller = AssistLabeller(AssistLabelConfig(prompts=tmp_path), tools)
    (found,) = labeller.label(gold(labelled_set), [volume], Silent())
    assert found.ignore.all(axis=(0, 1)).tolist() == [True, False, True, False, True]
    assert not found.ignore[:, :, [1, 3]].any()
    assert found.labels.voxels.any(axis=(0, 1)).tolist() == [False, True, False, True, False]


def test_a_folder_of_prompts_that_is_not_there(discs, tools, tmp_path):
    labeller = AssistLabeller(AssistLabelConfig(prompts=tmp_path / "none"), tools)
    assert labeller.name == "assist"
    with pytest.raises(PromptError, match="no folder"):
        list(labeller.label(gold(discs), discs.unlabelled, Silent()))


@pytest.mark.slow
def test_auto_finds_in_other_pictures_what_gold_shows(discs, tools, monkeypatch):
    """This SAM has no weights, so that its prompt encoder has nothing to learn."""

    def nothing_to_learn(backbone, *_rest):
        return LearnedEncoder(backbone.new_prompt_encoder(), ())

    monkeypatch.setattr("sammed.skills.training.learn_prompt_encoder", nothing_to_learn)
    usual = LearningConfig()
    quick = replace(usual, choosing=replace(usual.choosing, steps=30, folds=2))
    labeller = AutoLabeller(AutoLabelConfig(learning=quick), tools)
    found = list(labeller.label(gold(discs), discs.unlabelled, Silent()))
    assert [each.outcome for each in found] == ["labelled", "labelled"]
    assert min(found_dice(found).values()) > 0.6
    assert len({each.maker_digest for each in found}) == 1
    assert np.isfinite([each.score for each in found]).all()
