"""SAM^Med as a pseudo-labeler, with a SAM that marks what is as bright as its prompt."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from sammed.assist.label_encoder import LabelEncoder
from sammed.assist.training import TrainedEncoder
from sammed.backbones.backbone import Backbone
from sammed.datasets.labeled_sets.labeled_set import Case, LabeledSet
from sammed.datasets.labeled_sets.set_file import write_set
from sammed.datasets.pseudo.assist import AssistLabelConfig, AssistLabeler
from sammed.datasets.pseudo.assist_config import PromptStyle
from sammed.datasets.pseudo.auto import AutoLabelConfig, AutoLabeler
from sammed.datasets.pseudo.pseudo_labeler import Tools
from sammed.errors import PromptError
from sammed.metrics.evaluation import dice
from sammed.progress import Silent
from sammed.skills.training import SkillConfig
from tests.sammed.datasets.pseudo.conftest import SetMaker, disc, voxels_of

CENTERS = {"a": (12, 12), "b": (30, 20), "c": (20, 28), "d": (34, 12)}


@pytest.fixture
def tools(brightness_backbone: Backbone) -> Tools:
    return Tools(backbone=lambda: brightness_backbone)


@pytest.fixture
def discs(set_maker: SetMaker) -> LabeledSet:
    """Discs in pictures of one shape, two of them gold."""
    for name, center in CENTERS.items():
        set_maker.add(name, disc(center), gold=name in "ab")
    return set_maker.made()


def found_dice(found: Any) -> dict[str, float]:
    assert [each.reason for each in found if each.labels is None] == []
    return {each.case: dice(each.labels.voxels[:, :, 0].T > 0, disc(CENTERS[each.case])) for each in found}


def gold(labeled_set: LabeledSet) -> LabeledSet:
    return labeled_set.keep(lambda case: case.is_gold)


@pytest.mark.parametrize("style", ["box", "point", "points", "box+points"])
def test_assist_marks_what_it_is_prompted_for(
    discs: LabeledSet, set_maker: SetMaker, tools: Tools, tmp_path: Path, style: PromptStyle
) -> None:
    truth = tmp_path / "truth"
    truth.mkdir()
    for name in "cd":
        set_maker.add(f"{name}-truth", disc(CENTERS[name]), gold=True)
    known = set_maker.made()
    cases = [replace(known.case(f"{name}-truth"), name=name) for name in "cd"]
    write_set(known.with_cases(cases).moved(truth))
    config = AssistLabelConfig(truth=truth, style=style, box_inner=0.0, box_outer=0.0)
    labeler = AssistLabeler(config, tools)
    found = list(labeler.label(gold(discs), discs.unlabeled, Silent()))
    assert labeler.name == "assist-simulated"
    assert min(found_dice(found).values()) > 0.8
    assert all(0.5 < each.score <= 1 for each in found)


def test_slices_without_a_persons_prompt_are_ignored(
    set_maker: SetMaker, tools: Tools, tmp_path: Path
) -> None:
    """A box in slices 1 and 3 of 5: nobody knows whether the others were looked at."""
    mask = disc(CENTERS["c"])
    voxels = np.repeat((50 + 150 * mask).astype(np.int16).T[:, :, None], 5, axis=2)
    nibabel.save(nibabel.Nifti1Image(voxels, np.diag([1.0, 1.0, 4.0, 1.0])), tmp_path / "volume.nii.gz")
    set_maker.add("a", disc(CENTERS["a"]), gold=True)
    made = set_maker.made()
    volume = Case("volume", Path("volume.nii.gz"))
    labeled_set = made.with_cases([*made.cases, volume])
    i, j = (np.flatnonzero(voxels[:, :, 0].max(axis=other) > 100)[[0, -1]].tolist() for other in (1, 0))
    boxes = [[i[0], j[0], k, i[1], j[1], k] for k in (1, 3)]
    (tmp_path / "volume.json").write_text(json.dumps({"prompts": [{"label": "disc", "boxes": boxes}]}))
    labeler = AssistLabeler(AssistLabelConfig(prompts=tmp_path), tools)
    (found,) = labeler.label(gold(labeled_set), [volume], Silent())
    assert found.ignore is not None
    assert found.ignore.all(axis=(0, 1)).tolist() == [True, False, True, False, True]
    assert not found.ignore[:, :, [1, 3]].any()
    assert voxels_of(found).any(axis=(0, 1)).tolist() == [False, True, False, True, False]


def test_a_folder_of_prompts_that_is_not_there(discs: LabeledSet, tools: Tools, tmp_path: Path) -> None:
    labeler = AssistLabeler(AssistLabelConfig(prompts=tmp_path / "none"), tools)
    assert labeler.name == "assist"
    with pytest.raises(PromptError, match="no folder"):
        list(labeler.label(gold(discs), discs.unlabeled, Silent()))


@pytest.mark.slow
def test_auto_finds_in_other_pictures_what_gold_shows(
    discs: LabeledSet, tools: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This SAM has no weights, so that its prompt encoder has nothing to learn."""

    def nothing_to_learn(backbone: Backbone, *_rest: Any) -> TrainedEncoder:
        encoder = LabelEncoder(backbone.new_prompt_encoder(), backbone.new_prompt_encoder())
        return TrainedEncoder(encoder, ())

    monkeypatch.setattr("sammed.skills.training.train_prompt_encoder", nothing_to_learn)
    usual = SkillConfig()
    quick = replace(usual, choosing=replace(usual.choosing, steps=30, folds=2))
    labeler = AutoLabeler(AutoLabelConfig(learning=quick), tools)
    found = list(labeler.label(gold(discs), discs.unlabeled, Silent()))
    assert [each.outcome for each in found] == ["labeled", "labeled"]
    assert min(found_dice(found).values()) > 0.6
    assert len({each.maker_digest for each in found}) == 1
    assert np.isfinite([each.score for each in found]).all()
