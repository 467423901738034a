"""Auto-Generate-WLs from end to end, with a student whose coarse masks are known."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sammed.backbones.backbone import Backbone
from sammed.datasets.labeled_sets.labeled_set import LabeledSet
from sammed.datasets.labeled_sets.pictures import Picture
from sammed.datasets.pseudo.coarse import pseudo_labeler as module
from sammed.datasets.pseudo.coarse import weak_label as weak_label_module
from sammed.datasets.pseudo.coarse.config import CoarseConfig
from sammed.datasets.pseudo.coarse.pseudo_labeler import CHECKPOINT_NAME, CoarseLabeler
from sammed.datasets.pseudo.coarse.weak_label import is_uniform
from sammed.datasets.pseudo.methods import config_type, make_labeler
from sammed.datasets.pseudo.proposals.config import ProposalConfig
from sammed.datasets.pseudo.proposals.proposals import Proposals, pack
from sammed.datasets.pseudo.pseudo_label import PseudoLabel
from sammed.datasets.pseudo.pseudo_labeler import Tools
from sammed.embeddings.scan import Scan
from sammed.errors import AnnotationError, ConfigError
from sammed.metrics.evaluation import dice
from sammed.prompts.prompt import Prompt
from sammed_volumes.labels import Label
from tests.conftest import MakePhantom, Phantom
from tests.sammed.conftest import Notes
from tests.sammed.datasets.pseudo.conftest import SetMaker

from ..conftest import SHAPE, disc, mask_of, voxels_of

TRUE_DISC = disc((30, 15))


@dataclass
class KnownStudent:
    """Says that everything above a brightness is the label, and that next to nothing is elsewhere."""

    labels: tuple[Label, ...]
    above: float = 0.5

    def probabilities(self, image: np.ndarray) -> np.ndarray:
        found = np.where(image[:, :, 0] > self.above, 0.8, 0.02)
        return np.stack([1 - found, *[found] * len(self.labels)])


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """A known student in place of a trained one; what it was to be trained with."""
    calls: list[dict[str, Any]] = []

    def train(
        pictures: Sequence[Picture], labels: tuple[Label, ...], config: Any, reporter: Any, **settings: Any
    ) -> KnownStudent:
        calls.append({"pictures": pictures, "config": config, **settings})
        return KnownStudent(labels)

    monkeypatch.setattr(module, "train_student", train)
    monkeypatch.setattr(module, "student_digest", lambda student: "known")
    return calls


def run(
    labeled_set: LabeledSet, backbone: Backbone, notes: Notes, tmp_path: Path, **settings: Any
) -> list[PseudoLabel]:
    labeler = CoarseLabeler(CoarseConfig(**settings), Tools(lambda: backbone, 0, tmp_path))
    gold = labeled_set.keep(lambda case: case.is_gold)
    return list(labeler.label(gold, labeled_set.unlabeled, notes))


@pytest.mark.parametrize("prompts", ["box", "points"])
def test_a_coarse_mask_becomes_a_weak_label(
    disc_set: LabeledSet,
    brightness_backbone: Backbone,
    notes: Notes,
    tmp_path: Path,
    trained: list[dict[str, Any]],
    prompts: str,
) -> None:
    found, empty = run(disc_set, brightness_backbone, notes, tmp_path, prompts=prompts)
    assert (found.case, found.outcome) == ("unknown-with", "labeled")
    assert dice(mask_of(found), TRUE_DISC) > 0.9
    assert found.score == found.label_scores[1] > 0.9, "coarse and weak mask agree"
    assert found.ignore is not None
    assert not found.ignore.any()
    assert empty.outcome == "nothing"
    assert empty.reason == "No weak label is left: no coarse label in 1 slice."


def test_the_student_is_the_papers(
    disc_set: LabeledSet,
    brightness_backbone: Backbone,
    notes: Notes,
    tmp_path: Path,
    trained: list[dict[str, Any]],
) -> None:
    run(disc_set, brightness_backbone, notes, tmp_path)
    (call,) = trained
    config = call["config"]
    assert len(call["pictures"]) == 12
    assert call["checkpoint"] == tmp_path / CHECKPOINT_NAME
    assert (config.network, config.size_px, config.batch_size, config.epochs) == ("unet++", 256, 4, 100)
    assert (config.loss, config.dice_weight, config.entropy_weight) == ("dice+bce", 1.0, 0.5)
    assert (config.optimizer, config.learning_rate, config.least_learning_rate) == ("sgd", 1e-3, 1e-5)


def test_the_student_may_learn_by_adam(
    disc_set: LabeledSet,
    brightness_backbone: Backbone,
    notes: Notes,
    tmp_path: Path,
    trained: list[dict[str, Any]],
) -> None:
    run(disc_set, brightness_backbone, notes, tmp_path, optimizer="adam")
    assert trained[0]["config"].optimizer == "adam"


def test_a_label_that_is_nearly_all_one_class_is_dropped(
    set_maker: SetMaker,
    brightness_backbone: Backbone,
    notes: Notes,
    tmp_path: Path,
    trained: list[dict[str, Any]],
) -> None:
    set_maker.add("gold", disc((20, 20)), gold=True)
    set_maker.add("small", disc((20, 20), radius=3), gold=False)
    made = set_maker.made()
    (dropped,) = run(made, brightness_backbone, notes, tmp_path)
    assert dropped.reason == "No weak label is left: nearly all of one class in 1 slice."
    (kept,) = run(made, brightness_backbone, notes, tmp_path, most_of_one_class=1.0)
    assert kept.outcome == "labeled"


def test_masks_that_disagree_are_told(
    disc_set: LabeledSet,
    brightness_backbone: Backbone,
    notes: Notes,
    tmp_path: Path,
    trained: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def everywhere(encoded: Scan, index: int, prompts: Sequence[Prompt]) -> np.ndarray:
        return np.ones(SHAPE, dtype=np.float32)

    monkeypatch.setattr(weak_label_module, "prompted_logits", everywhere)
    settings = {"most_of_one_class": 1.0, "least_agreement": 0.5}
    found, empty = run(disc_set, brightness_backbone, notes, tmp_path, **settings)
    assert found.reason == "No weak label is left: coarse and weak label disagree in 1 slice."
    assert empty.reason == "No weak label is left: no coarse label in 1 slice."


def test_a_decoder_that_answers_with_nothing(
    disc_set: LabeledSet,
    brightness_backbone: Backbone,
    notes: Notes,
    tmp_path: Path,
    trained: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def nothing(encoded: Scan, index: int, prompts: Sequence[Prompt]) -> np.ndarray:
        return np.full(SHAPE, -1, dtype=np.float32)

    monkeypatch.setattr(weak_label_module, "prompted_logits", nothing)
    found, _ = run(disc_set, brightness_backbone, notes, tmp_path, most_of_one_class=1.0)
    assert found.reason == "No weak label is left: no coarse label in 1 slice."


def test_97_percent_by_hand() -> None:
    mask = np.zeros((10, 10), dtype=bool)
    mask.flat[:3] = True
    assert not is_uniform(mask, 0.97)
    mask.flat[2] = False
    assert is_uniform(mask, 0.97)
    assert is_uniform(~mask, 0.97)


def test_slices_without_a_weak_label_are_ignored(
    phantom: MakePhantom,
    brightness_backbone: Backbone,
    notes: Notes,
    tmp_path: Path,
    trained: list[dict[str, Any]],
) -> None:
    made = phantom(modality="mr")
    volume_set(made, tmp_path)
    labeled_set = volume_set(made, tmp_path)
    labeler = CoarseLabeler(CoarseConfig(), Tools(lambda: brightness_backbone, 0, tmp_path))
    (found,) = labeler.label(labeled_set, [labeled_set.cases[1]], notes)
    assert found.outcome == "labeled"
    assert voxels_of(found).shape == made.volume.shape
    empty = ~voxels_of(found).any(axis=(0, 1))
    assert empty.any(), "the phantom's first and last slices are air"
    assert found.ignore is not None
    assert found.ignore[:, :, empty].all()
    assert not found.ignore[:, :, ~empty].all(axis=(0, 1)).any()
    assert "unknown: no coarse label in" in notes.messages[-1]


def volume_set(made: Phantom, folder: Path) -> LabeledSet:
    import nibabel

    from sammed.datasets.labeled_sets.labeled_set import Case, LabeledSet
    from sammed_volumes.formats import write_labels

    image = folder / "image.nii.gz"
    nibabel.save(nibabel.Nifti1Image(made.volume.voxels, made.volume.affine_ras_mm), image)
    write_labels(made.labels, folder / "labels.nii.gz", like=made.volume, overwrite=True)
    cases = (Case("gold", image, folder / "labels.nii.gz", "gold"), Case("unknown", image))
    return LabeledSet(folder, made.labels.labels, cases)


def test_a_case_that_cannot_be_read_fails_alone(
    disc_set: LabeledSet,
    brightness_backbone: Backbone,
    notes: Notes,
    tmp_path: Path,
    trained: list[dict[str, Any]],
) -> None:
    (tmp_path / "unknown-with.png").write_text("no picture")
    failed, empty = run(disc_set, brightness_backbone, notes, tmp_path)
    assert failed.outcome == "failed"
    assert "unknown-with.png" in (failed.reason or "")
    assert empty.outcome == "nothing"


def test_without_gold_there_is_nothing_to_learn(
    set_maker: SetMaker, brightness_backbone: Backbone, notes: Notes, tmp_path: Path
) -> None:
    set_maker.add("empty", np.zeros(SHAPE, dtype=bool), gold=True)
    set_maker.add("unknown", disc((20, 20)), gold=False)
    with pytest.raises(AnnotationError, match="No gold picture of the set holds a label"):
        run(set_maker.made(), brightness_backbone, notes, tmp_path)


@pytest.fixture
def no_student(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "train_student", lambda *_a, **_s: pytest.fail("a student was trained"))


def test_the_backbone_may_be_told_nothing(
    disc_set: LabeledSet, tiny_backbone: Backbone, notes: Notes, tmp_path: Path, no_student: None
) -> None:
    found = run(disc_set, tiny_backbone, notes, tmp_path, prompts="none", most_of_one_class=1.0)
    assert {each.outcome for each in found} <= {"labeled", "nothing"}
    assert all(each.score == 0 for each in found)


def test_the_automatic_baseline_is_the_best_proposal(
    disc_set: LabeledSet,
    tiny_backbone: Backbone,
    notes: Notes,
    tmp_path: Path,
    no_student: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    everything = np.ones(SHAPE, dtype=bool)
    asked = []

    def propose(
        backbone: Backbone, image: np.ndarray, spacing_mm: tuple[float, float], config: ProposalConfig
    ) -> Proposals:
        asked.append((backbone.name, image.shape))
        return pack([everything, TRUE_DISC, ~TRUE_DISC] if len(asked) == 1 else [everything], *SHAPE)

    monkeypatch.setattr(weak_label_module, "propose", propose)
    found, other = run(disc_set, tiny_backbone, notes, tmp_path, prompts="automatic")
    assert (mask_of(found) == TRUE_DISC).all()
    assert found.score == 0
    assert other.outcome == "nothing", "a mask of everything is no label"
    assert asked == [("tiny", (*SHAPE, 1))] * 2


def test_a_baseline_cannot_tell_two_labels_apart(
    set_maker: SetMaker, tiny_backbone: Backbone, notes: Notes, tmp_path: Path
) -> None:
    set_maker.add("gold", disc((20, 20)), gold=True)
    made = set_maker.made((Label(1, "one", (1, 2, 3)), Label(2, "two", (4, 5, 6))))
    with pytest.raises(ConfigError, match="can't tell 2 labels apart"):
        run(made, tiny_backbone, notes, tmp_path, prompts="automatic")


def test_a_real_student_goes_the_same_way(
    disc_set: LabeledSet, brightness_backbone: Backbone, notes: Notes, tmp_path: Path
) -> None:
    found = run(disc_set, brightness_backbone, notes, tmp_path, size_px=32, steps=1)
    assert [each.case for each in found] == ["unknown-with", "unknown-without"]
    assert not any(each.failed for each in found)
    assert (tmp_path / CHECKPOINT_NAME).is_file()
    again = run(disc_set, brightness_backbone, notes, tmp_path, size_px=32, steps=1)
    assert [each.maker_digest for each in again] == [each.maker_digest for each in found]


def test_the_method_has_its_name(brightness_backbone: Backbone) -> None:
    config = config_type("coarse")(prompts="points")
    assert make_labeler("coarse", config, Tools(lambda: brightness_backbone)).name == "coarse"


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"prompts": "lasso"}, "prompts is 'lasso'"),
        ({"most_of_one_class": 97}, "most_of_one_class is 97"),
        ({"least_agreement": 70}, "least_agreement is 70; it must be from 0 to 1"),
        ({"network": "dynunet"}, "takes volumes"),
        ({"size_px": 250}, "size_px is 250"),
        ({"threshold": 1.5}, "threshold is 1.5"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        CoarseConfig(**settings)
