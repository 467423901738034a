"""SamDSK from end to end, with students whose maps are known, and once with a real one."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import nibabel as nib
import numpy as np
import pytest

from sammed.backbones.backbone import Backbone
from sammed.datasets.labeled_sets.labeled_set import Case, LabeledSet
from sammed.datasets.pseudo.methods import config_type, make_labeler
from sammed.datasets.pseudo.proposals.config import ProposalConfig
from sammed.datasets.pseudo.proposals.proposals import Proposals
from sammed.datasets.pseudo.proposals.proposing import propose
from sammed.datasets.pseudo.pseudo_label import PseudoLabel
from sammed.datasets.pseudo.pseudo_labeler import Tools
from sammed.datasets.pseudo.samdsk import rounds as module
from sammed.datasets.pseudo.samdsk.config import SamDskConfig, SamDskStudent, Selection
from sammed.datasets.pseudo.samdsk.pseudo_labeler import SamDskLabeler
from sammed.datasets.settings import configure
from sammed.errors import AnnotationError, ConfigError
from sammed.metrics.evaluation import dice
from sammed_volumes.intensity import Window
from tests.sammed.conftest import Notes
from tests.sammed.datasets.pseudo.conftest import SetMaker

from ..conftest import SHAPE, disc, mask_of, voxels_of

# Bright enough for the backbone to tell them apart.
PAIR = disc((13, 14), 8) + 0.6 * disc((36, 27), 8)
PROPOSALS = ProposalConfig(source="boxes", least_pixels=4, from_gold=False)


@dataclass
class KnownStudent:
    """Says that bright is the label, and how sure it is."""

    weights: list[float] = field(default_factory=list)
    sure: ClassVar[float] = 0.97

    def probabilities(self, image: np.ndarray) -> np.ndarray:
        found = np.where(image[:, :, 0] > 0.4, self.sure, 0.0)
        return np.stack([1 - found, found])


@pytest.fixture
def students(monkeypatch: pytest.MonkeyPatch) -> list[KnownStudent]:
    """The students that were trained."""
    made: list[KnownStudent] = []

    def new_student(config: Any, labels: Any, window: Any) -> KnownStudent:
        made.append(KnownStudent())
        return made[-1]

    def train(student: Any, samples: Any, reporter: Any, checkpoint: Any) -> None:
        student.weights = [sample.weight for sample in samples]

    monkeypatch.setattr(module, "new_student", new_student)
    monkeypatch.setattr(module, "train_on_samples", train)
    monkeypatch.setattr(module, "student_digest", lambda student: str(student.weights))
    return made


def run(
    made: LabeledSet, backbone: Backbone, notes: Notes, workspace: Path | None = None, **settings: Any
) -> tuple[SamDskLabeler, list[PseudoLabel]]:
    config = SamDskConfig(**{"proposals": PROPOSALS, **settings})
    labeler = SamDskLabeler(config, Tools(lambda: backbone, 0, workspace))
    gold = made.keep(lambda case: case.is_gold)
    return labeler, list(labeler.label(gold, made.unlabeled, notes))


def test_wider_limits_add_what_one_proposal_does_not_cover(
    set_maker: SetMaker, brightness_backbone: Backbone, notes: Notes, students: list[KnownStudent]
) -> None:
    set_maker.add("gold", disc((20, 20)), gold=True)
    set_maker.add("one", disc((30, 15)), gold=False)
    set_maker.add("pair", PAIR, gold=False)
    set_maker.add("none", np.zeros(SHAPE), gold=False)
    labeler, (one, pair, none) = run(set_maker.made(), brightness_backbone, notes, weight=0.5)
    assert [each.added for each in labeler.rounds] == [1, 1, 0]
    assert [each.tried for each in labeler.rounds] == [3, 2, 1]
    assert [student.weights for student in students] == [[1.0], [1.0, 0.5], [1.0, 0.5, 0.5]], "equation 5"
    assert dice(mask_of(one), disc((30, 15))) > 0.9
    assert dice(mask_of(pair), PAIR > 0) > 0.9
    assert 0.9 < one.score == one.label_scores[1] <= 0.97 + 1e-6
    assert one.ignore is None
    assert one.maker_digest == pair.maker_digest != ""
    assert none.outcome == "nothing"
    assert none.reason == "Not selected: the student finds no label in it."
    assert notes.messages[0].startswith("Round 1: 1 of 3 pictures added (mean score 0.")


def test_it_ends_when_nothing_is_added(
    set_maker: SetMaker, brightness_backbone: Backbone, notes: Notes, students: list[KnownStudent]
) -> None:
    set_maker.add("gold", disc((20, 20)), gold=True)
    set_maker.add("pair", PAIR, gold=False)
    labeler, (pair,) = run(set_maker.made(), brightness_backbone, notes, counts=("1-1",))
    assert len(labeler.rounds) == 1
    assert pair.outcome == "nothing"
    assert pair.reason is not None
    assert pair.reason.startswith("Not selected: its score 0.")
    assert pair.reason.endswith("is not above 0.9.")


def test_a_round_that_adds_nothing_does_not_end_it_while_limits_widen(
    set_maker: SetMaker, brightness_backbone: Backbone, notes: Notes, students: list[KnownStudent]
) -> None:
    set_maker.add("gold", disc((20, 20)), gold=True)
    set_maker.add("pair", PAIR, gold=False)
    labeler, (pair,) = run(set_maker.made(), brightness_backbone, notes, counts=("1-1/1-2",))
    assert [each.added for each in labeler.rounds] == [0, 1]
    assert len(students) == 1, "on the same pictures the same student would come"
    assert pair.outcome == "labeled"
    labeler, _ = run(set_maker.made(), brightness_backbone, notes, counts=("1-1/1-2",), most_rounds=1)
    assert len(labeler.rounds) == 1


def test_hard_maps_help_a_student_that_is_seldom_sure(
    set_maker: SetMaker,
    brightness_backbone: Backbone,
    notes: Notes,
    students: list[KnownStudent],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(KnownStudent, "sure", 0.7)
    set_maker.add("gold", disc((20, 20)), gold=True)
    set_maker.add("one", disc((30, 15)), gold=False)
    _, (soft,) = run(set_maker.made(), brightness_backbone, notes)
    _, (hard,) = run(set_maker.made(), brightness_backbone, notes, maps="hard")
    assert soft.outcome == "nothing"
    assert hard.score > 0.9


def test_rejected_pictures_can_be_kept_with_their_scores(
    set_maker: SetMaker, brightness_backbone: Backbone, notes: Notes, students: list[KnownStudent]
) -> None:
    set_maker.add("gold", disc((20, 20)), gold=True)
    set_maker.add("pair", PAIR, gold=False)
    _, (pair,) = run(set_maker.made(), brightness_backbone, notes, counts=("1-1",), keep_rejected=True)
    assert pair.outcome == "labeled"
    assert 0.3 < pair.score < 0.9
    assert dice(mask_of(pair), disc((13, 14), 8)) > 0.9 or dice(mask_of(pair), disc((36, 27), 8)) > 0.9


@pytest.mark.parametrize(("selection", "added"), [("all", 2), ("confidence", 1)])
def test_the_baselines_need_no_backbone(
    disc_set: LabeledSet, notes: Notes, students: list[KnownStudent], selection: Selection, added: Any
) -> None:
    def no_backbone() -> Backbone:
        raise AssertionError("nobody asks for it")

    config = SamDskConfig(selection=selection)
    labeler = SamDskLabeler(config, Tools(no_backbone))
    gold = disc_set.keep(lambda case: case.is_gold)
    disc_found, empty = labeler.label(gold, disc_set.unlabeled, notes)
    assert labeler.rounds[0].added == added
    assert dice(mask_of(disc_found), disc((30, 15))) > 0.95
    assert disc_found.score == pytest.approx(0.97)
    assert empty.reason == "Not selected: no label was found in it."


def save_stack(stack: np.ndarray, path: Path) -> Path:
    """A stack S H W as a volume X Y Z toward left, posterior, superior, which shows it as it stands."""
    voxels = stack.transpose(2, 1, 0).astype(np.float32)
    nib.save(nib.Nifti1Image(voxels, np.diag([-1.0, -1.0, 5.0, 1.0])), path)
    return path


def test_slices_that_were_not_selected_are_ignored(
    set_maker: SetMaker, brightness_backbone: Backbone, notes: Notes, students: list[KnownStudent]
) -> None:
    set_maker.add("gold", disc((20, 20)), gold=True)
    stack = np.stack([50 + 150 * mask for mask in (disc((30, 15)), np.zeros(SHAPE), PAIR)])
    set_maker.cases.append(Case("volume", save_stack(stack, set_maker.folder / "volume.nii.gz")))
    made = replace(set_maker.made(), window=Window(0.0, 255.0, "value"))
    labeler, (found,) = run(made, brightness_backbone, notes, counts=("1-1",))
    assert labeler.rounds[0].tried == 3
    assert found.ignore is not None
    assert found.ignore.all(axis=(0, 1)).tolist() == [False, True, True]
    assert dice(mask_of(found), disc((30, 15))) > 0.9
    assert not voxels_of(found)[:, :, 1:].any()


def test_of_a_partly_annotated_volume_the_other_slices_are_tried(
    set_maker: SetMaker, brightness_backbone: Backbone, notes: Notes, students: list[KnownStudent]
) -> None:
    truth = np.stack([disc((20, 20)), disc((30, 15)), disc((25, 22))])
    image = save_stack(50 + 150 * truth, set_maker.folder / "volume.nii.gz")
    labels = save_stack(truth * [[[1]], [[0]], [[0]]], set_maker.folder / "marked.nii.gz")
    case = Case("volume", image, labels, "gold", annotated_slices=(0,), axis=2)
    set_maker.cases.append(case)
    made = replace(set_maker.made(), window=Window(0.0, 255.0, "value"))
    config = SamDskConfig(proposals=PROPOSALS, threshold=0.8)
    labeler = SamDskLabeler(config, Tools(lambda: brightness_backbone))
    (found,) = labeler.label(made, [case], notes)
    assert [each.tried for each in labeler.rounds] == [2]
    assert students[0].weights == [1.0], "the annotated slice alone teaches"
    assert found.ignore is not None
    assert found.ignore.all(axis=(0, 1)).tolist() == [True, False, False]
    assert dice(mask_of(found, 2), truth[2]) > 0.9


def test_a_case_that_can_not_be_read_stops_no_other(
    disc_set: LabeledSet, brightness_backbone: Backbone, notes: Notes, students: list[KnownStudent]
) -> None:
    missing = Case("missing", disc_set.folder / "missing.png")
    made = disc_set.with_cases([*disc_set.cases, missing])
    _, found = run(made, brightness_backbone, notes)
    assert [each.outcome for each in found] == ["labeled", "nothing", "failed"]
    assert "missing.png" in (found[2].reason or "")


def test_gold_without_a_label_teaches_nothing(
    set_maker: SetMaker, brightness_backbone: Backbone, notes: Notes
) -> None:
    set_maker.add("gold", np.zeros(SHAPE, dtype=bool), gold=True)
    set_maker.add("other", disc((20, 20)), gold=False)
    with pytest.raises(AnnotationError, match="nothing to learn from"):
        run(set_maker.made(), brightness_backbone, notes)


def test_counts_of_a_label_that_the_set_lacks_are_refused_at_once(
    disc_set: LabeledSet, brightness_backbone: Backbone, notes: Notes
) -> None:
    with pytest.raises(ConfigError, match="counts name the label 5"):
        run(disc_set, brightness_backbone, notes, counts=("5:1-1",))


def test_proposals_outlive_a_kill(
    disc_set: LabeledSet,
    brightness_backbone: Backbone,
    notes: Notes,
    students: list[KnownStudent],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    workspace = tmp_path / "work"
    _, first = run(disc_set, brightness_backbone, notes, workspace)
    kept = sorted((workspace / module.PROPOSALS_FOLDER).iterdir())
    assert len(kept) == 2

    kept[0].write_bytes(b"cut short")
    asked: list[Any] = []

    def counted(*given: Any) -> Proposals:
        asked.append(given)
        return propose(*given)

    monkeypatch.setattr(module, "propose", counted)
    _, second = run(disc_set, brightness_backbone, notes, workspace)
    assert len(asked) == 1, "the damaged file alone is made anew"
    assert np.array_equal(voxels_of(first[0]), voxels_of(second[0]))
    run(disc_set, brightness_backbone, notes, workspace, proposals=ProposalConfig(source="boxes", most=9))
    assert len(asked) == 3, "other settings, other proposals"


def test_a_real_student_and_the_settings_of_the_command_line(
    disc_set: LabeledSet, brightness_backbone: Backbone, notes: Notes, tmp_path: Path
) -> None:
    """Six gold discs teach a small network enough for its maps to be matched."""
    settings = {
        "threshold": "0.6",
        "most_rounds": "1",
        "proposals.source": "boxes",
        "proposals.least_pixels": "4",
        "student.network": "unet",
        "student.size_px": "32",
        "student.features": "8,8,16,16,16,8",
        "student.learning_rate": "0.01",
        "student.steps": "60",
        "student.augment": "no",
        "counts": "1-1/1-2,1:1-1",
    }
    config = configure(config_type("samdsk"), settings)
    assert config.student == SamDskStudent(
        network="unet",
        size_px=32,
        features=(8, 8, 16, 16, 16, 8),
        learning_rate=0.01,
        steps=60,
        augment=False,
    )
    labeler = make_labeler("samdsk", config, Tools(lambda: brightness_backbone, 0, tmp_path / "work"))
    (tmp_path / "work").mkdir()
    gold = disc_set.keep(lambda case: case.is_gold)
    found, empty = labeler.label(gold, disc_set.unlabeled, notes)
    assert found.outcome == "labeled", notes.messages
    assert found.score > 0.6
    assert dice(mask_of(found), disc((30, 15))) > 0.9
    assert empty.outcome == "nothing"
