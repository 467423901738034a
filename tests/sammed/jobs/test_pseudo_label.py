"""From a set to one with pseudo-labels, and on to a student: bad cases told, nothing lost, nothing leaked."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from sammed.datasets.labeled_sets.labeled_set import Case as SetCase
from sammed.datasets.labeled_sets.labeled_set import LabeledSet
from sammed.datasets.labeled_sets.pictures import OpenCase, from_pictures, open_case
from sammed.datasets.labeled_sets.set_file import read_set, write_set
from sammed.datasets.pseudo.auto import AutoLabelConfig, AutoLabeler
from sammed.datasets.pseudo.pseudo_label import PseudoLabel, nothing_found
from sammed.datasets.pseudo.pseudo_labeler import Tools, attempt
from sammed.embeddings.config import EncodingConfig
from sammed.errors import AnnotationError, ConfigError, PromptError, SetError
from sammed.jobs.pseudo_label import PseudoLabelRequest, pseudo_label
from sammed.jobs.set.make import SetMakeRequest, set_make
from sammed.jobs.set.split import SetSplitRequest, set_split
from sammed.jobs.student.evaluate import StudentEvaluateRequest, student_evaluate
from sammed.jobs.student.label import StudentLabelRequest, student_label
from sammed.jobs.student.train import StudentTrainRequest, student_train
from sammed.progress import Reporter, Silent
from sammed.skills.skill_file import read_skill
from sammed.storage.provenance import read_provenance
from sammed_volumes.errors import OutputError
from sammed_volumes.formats import read_labels, write_labels
from sammed_volumes.labels import LabelVolume

if TYPE_CHECKING:
    from sammed.backbones.backbone import Backbone
    from tests.sammed.conftest import Case
    from tests.sammed.jobs.conftest import Counting


QUICK = {
    "learning.assist.steps": "2",
    "learning.assist.point_steps": "2",
    "learning.sap_net.steps": "5",
    "learning.choosing.steps": "2",
    "learning.choosing.folds": "2",
    "learning.classification.iterations": "5",
    "slices": "3",
}
SMALL = {
    "size_px": "32",
    "features": "8,8,16,16,32,8",
    "steps": "40",
    "optimizer": "adam",
    "learning_rate": "0.01",
}


@pytest.fixture
def discs(tmp_path: Path) -> Path:
    """The folder of a set of ten pictures with a disc each: two tested on, three gold, the others bare."""
    for number in range(10):
        y, x = np.mgrid[:40, :48]
        disc = (x - 12 - 2 * number) ** 2 + (y - 18) ** 2 <= 49
        gray = np.random.default_rng(number).normal(80, 6, disc.shape) + 90 * disc
        for folder, pixels in (("images", gray), ("masks", disc)):
            (tmp_path / folder).mkdir(exist_ok=True)
            Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / folder / f"d{number}.png")
    whole, part = tmp_path / "whole", tmp_path / "part"
    set_make(
        SetMakeRequest(
            source=tmp_path / "images", labels=tmp_path / "masks", output=whole, names={1: "disc"}
        ),
        Silent(),
    )
    set_split(SetSplitRequest(labeled_set=whole, output=part, test=2, keep_gold=3), Silent())
    return part


@pytest.fixture
def method(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`method(make)` puts a labeler in the place of assist: `make(opened, gold) -> PseudoLabel`."""

    def put(make_label: Callable[..., PseudoLabel]) -> None:
        def made(case: SetCase, gold: LabeledSet) -> PseudoLabel:
            return make_label(open_case(case, gold), gold)

        class Labeler:
            name = "made-up"

            def __init__(self, _config: object, _tools: Tools) -> None:
                pass

            def label(
                self, gold: LabeledSet, unlabeled: Sequence[SetCase], reporter: Reporter
            ) -> Iterator[PseudoLabel]:
                for case in unlabeled:
                    yield attempt(case, partial(made, case, gold))

        monkeypatch.setattr("sammed.datasets.pseudo.assist.AssistLabeler", Labeler)

    return put


def request(source: Path, output: str = "made", **settings: Any) -> PseudoLabelRequest:
    usual = {"method": "assist", "settings": {"truth": str(source.parent / "whole")}}
    return PseudoLabelRequest(labeled_set=source, output=Path(output), **{**usual, **settings})


def label_file(labeled_set: LabeledSet, case: SetCase) -> Path:
    assert case.labels is not None
    return labeled_set.path(case.labels)


def bright(opened: OpenCase, gold: LabeledSet, score: float = 0.8) -> PseudoLabel:
    """What is brighter than half is label 1."""
    stack = np.stack([opened.image(index)[..., 0] > 0.5 for index in range(opened.slicing.count)])
    labels = from_pictures(stack.astype(np.uint8), opened, gold)
    return PseudoLabel(opened.case.name, labels, score, {1: score}, maker_digest="abc")


def test_a_set_is_split_and_its_labels_hidden(discs: Path) -> None:
    found = read_set(discs)
    counts = [len(cases) for cases in (found.gold, found.unlabeled, found.part("test").cases)]
    assert counts == [5, 5, 2]
    assert len(read_set(discs.parent / "whole").gold) == 10


def test_pseudo_labels_join_the_gold_and_the_images_stay(discs: Path, method: Callable[..., None]) -> None:
    method(bright)
    result = pseudo_label(request(discs), Silent())
    assert (result.gold, result.count("labeled"), result.is_good) == (3, 5, True)
    made = read_set(Path("made"))
    assert {case.origin for case in made.cases} == {"gold", "made-up"}
    assert made.splits == read_set(discs).splits
    for case in made.pseudo:
        assert (case.score, case.label_scores, case.maker_digest) == (0.8, {1: 0.8}, "abc")
        opened = open_case(case, made)
        assert opened.volume.path is not None
        assert opened.volume.path.parent.name == "images"
        provenance = read_provenance(label_file(made, case))
        assert provenance is not None
        assert (provenance.origin, provenance.method, provenance.scores) == (
            "pseudo",
            "made-up",
            {"disc": 0.8},
        )
    assert not list(Path("made").glob("**/*.png"))


def test_the_gold_that_a_method_sees_holds_no_test_case(discs: Path, method: Callable[..., None]) -> None:
    seen: set[str] = set()

    def look(opened: OpenCase, gold: LabeledSet) -> PseudoLabel:
        seen.update(case.name for case in gold.cases)
        seen.add(opened.case.name)
        return bright(opened, gold)

    method(look)
    pseudo_label(request(discs), Silent())
    assert not seen & {case.name for case in read_set(discs).part("test").cases}
    assert len(seen) == 8


def test_a_bad_case_and_one_without_a_finding_are_told_and_the_others_done(
    discs: Path, method: Callable[..., None]
) -> None:
    bare = [case.name for case in read_set(discs).unlabeled]
    (discs.parent / "images" / f"{bare[0]}.png").write_bytes(b"no picture")

    def make_label(opened: OpenCase, gold: LabeledSet) -> PseudoLabel:
        if opened.case.name == bare[1]:
            return nothing_found(bare[1], "All masks are empty.")
        return bright(opened, gold)

    method(make_label)
    result = pseudo_label(request(discs), Silent())
    by_case = {item.case: item for item in result.items}
    assert (by_case[bare[0]].status, by_case[bare[1]].status) == ("failed", "nothing")
    assert "it is text; copy or export it again" in (by_case[bare[0]].reason or "")
    assert by_case[bare[1]].reason == "All masks are empty."
    assert result.count("labeled") == 3
    assert not result.is_good
    assert {case.name for case in read_set(Path("made")).unlabeled} == set(bare[:2])
    json.dumps(result.to_json(), allow_nan=False)


def test_what_scores_low_is_dropped_or_ignored(discs: Path, method: Callable[..., None]) -> None:
    method(lambda opened, gold: bright(opened, gold, 0.9 if opened.case.name < "d5" else 0.3))
    result = pseudo_label(request(discs, min_score=0.5), Silent())
    dropped = [item for item in result.items if item.status == "dropped"]
    assert dropped
    assert all("0.300 is below 0.5" in (item.reason or "") for item in dropped)
    assert {item.case for item in dropped} == {case.name for case in read_set(Path("made")).unlabeled}


def test_ignored_voxels_are_written_and_read_again(discs: Path, method: Callable[..., None]) -> None:
    def half_ignored(opened: OpenCase, gold: LabeledSet) -> PseudoLabel:
        found = bright(opened, gold)
        assert found.labels is not None
        ignore = np.zeros(found.labels.shape, dtype=bool)
        ignore[:20] = True
        return PseudoLabel(found.case, found.labels, 0.8, {1: 0.8}, ignore)

    method(half_ignored)
    pseudo_label(request(discs), Silent())
    made = read_set(Path("made"))
    ignored = open_case(made.pseudo[0], made).ignore
    assert ignored is not None
    assert ignored[:20].all()
    assert not ignored[20:].any()


def test_the_persons_slices_of_a_partly_annotated_volume_stay(
    case: Case, method: Callable[..., None], tmp_path: Path
) -> None:
    set_make(SetMakeRequest(source=case.image, labels=case.labels, output=tmp_path / "whole"), Silent())
    part = set_split(
        SetSplitRequest(labeled_set=tmp_path / "whole", output=tmp_path / "part", test=0, keep_slices=2),
        Silent(),
    ).labeled_set
    kept = part.cases[0].annotated_slices
    assert kept is not None
    truth = read_labels(case.labels)

    def everything(opened: OpenCase, gold: LabeledSet) -> PseudoLabel:
        ones = np.ones(opened.slicing.stack_shape, dtype=np.uint8)
        return PseudoLabel(opened.case.name, from_pictures(ones, opened, gold), 0.5)

    method(everything)
    result = pseudo_label(request(tmp_path / "part"), Silent())
    assert result.count("labeled") == 1
    (found,) = read_set(Path("made")).cases
    assert (found.origin, found.annotated_slices) == ("made-up", kept)
    assert found.axis is not None
    voxels = np.moveaxis(read_labels(label_file(read_set(Path("made")), found)).voxels, found.axis, 0)
    expected = np.moveaxis(truth.voxels, found.axis, 0)
    np.testing.assert_array_equal(voxels[list(kept)], expected[list(kept)])
    others = [index for index in range(len(voxels)) if index not in kept]
    assert (voxels[others] == 1).all()


def test_a_set_that_cannot_be_used_says_why(
    discs: Path, method: Callable[..., None], tiny_backbone: Backbone
) -> None:
    method(bright)
    bare = read_set(discs).keep(lambda case: not case.is_gold)
    write_set(bare, overwrite=True)
    with pytest.raises(SetError, match="no gold training case"):
        pseudo_label(request(discs, method="auto", settings={}), Silent())
    labeler = AutoLabeler(AutoLabelConfig(), Tools(backbone=lambda: tiny_backbone))
    with pytest.raises(AnnotationError, match="no gold case"):
        next(labeler.label(bare, bare.cases, Silent()))
    with pytest.raises(SetError, match="labels already"):
        pseudo_label(request(discs.parent / "whole", "other"), Silent())


def test_nothing_is_overwritten_unasked(discs: Path, method: Callable[..., None]) -> None:
    method(bright)
    pseudo_label(request(discs), Silent())
    with pytest.raises(OutputError, match="already exists"):
        pseudo_label(request(discs), Silent())
    assert pseudo_label(request(discs, overwrite=True), Silent()).is_good
    Path("taken").mkdir()
    Path("taken/note.txt").write_text("mine")
    with pytest.raises(OutputError, match="holds other files"):
        pseudo_label(request(discs, "taken"), Silent())
    with pytest.raises(ConfigError, match="can't replace the old one"):
        pseudo_label(request(discs, str(discs), overwrite=True), Silent())


def test_another_method_or_run_encodes_nothing_and_makes_the_same_labels(
    discs: Path, counting: Counting
) -> None:
    made = {}
    for name, cached in (("first", True), ("second", True), ("plain", False)):
        before = counting.count
        pseudo_label(request(discs, name, encoding=EncodingConfig(cache=cached)), Silent())
        encoded = counting.count - before
        written = read_set(Path(name))
        labels = [read_labels(label_file(written, case)).voxels for case in written.pseudo]
        made[name] = encoded, np.stack(labels)
    assert [encoded for encoded, _ in made.values()] == [5, 0, 5]
    np.testing.assert_array_equal(made["first"][1], made["second"][1])
    np.testing.assert_array_equal(made["first"][1], made["plain"][1])


def test_what_is_refused_leaves_nothing(discs: Path) -> None:
    with pytest.raises(PromptError, match="no folder nowhere"):
        pseudo_label(request(discs, "new/refused", settings={"prompts": "nowhere"}), Silent())
    assert not Path("new").exists()


def test_assist_from_a_persons_files(discs: Path) -> None:
    names = [case.name for case in read_set(discs).unlabeled]
    prompts = discs.parent / "prompts"
    prompts.mkdir()
    text = json.dumps({"prompts": [{"label": "disc", "slice": 0, "boxes": [[5, 5, 40, 30]]}]})
    for name in names[:2]:
        (prompts / f"{name}.json").write_text(text)
    (prompts / f"{names[2]}.json").write_text("{")
    result = pseudo_label(request(discs, settings={"prompts": str(prompts)}), Silent())
    by_case = {item.case: item for item in result.items}
    assert {by_case[name].status for name in names[:2]} <= {"labeled", "nothing"}
    assert by_case[names[2]].status == "failed"
    assert "not JSON" in (by_case[names[2]].reason or "")
    assert by_case[names[3]].reason == "There is no prompt for it."


@pytest.mark.slow
@pytest.mark.parametrize(("more", "positions"), [({}, False), ({"positions": "yes"}, True)])
def test_auto_learns_from_pictures_of_several_cases(
    discs: Path, more: dict[str, str], positions: bool
) -> None:
    result = pseudo_label(request(discs, method="auto", settings={**QUICK, **more}), Silent())
    assert {item.status for item in result.items} <= {"labeled", "nothing"}
    skill = read_skill(Path("made/work/skills/shared.safetensors"))
    assert skill.require_auto().sap_net.network.config.positions is positions


@pytest.mark.slow
def test_auto_labels_a_volume_by_its_own_slices(case: Case, tmp_path: Path) -> None:
    set_make(SetMakeRequest(source=case.image, labels=case.labels, output=tmp_path / "whole"), Silent())
    set_split(
        SetSplitRequest(labeled_set=tmp_path / "whole", output=tmp_path / "part", test=0, keep_slices=3),
        Silent(),
    )
    result = pseudo_label(request(tmp_path / "part", method="auto", settings=QUICK), Silent())
    (item,) = result.items
    assert item.status in ("labeled", "nothing")
    assert [path.stem for path in Path("made/work/skills").iterdir()] == [item.case]


@pytest.mark.slow
def test_a_student_learns_from_the_pseudo_labels(discs: Path, method: Callable[..., None]) -> None:
    method(bright)
    pseudo_label(request(discs), Silent())
    student = Path("student.safetensors")
    trained = student_train(
        StudentTrainRequest(
            labeled_set=Path("made"), output=student, network="unet", settings=SMALL, device="cpu"
        ),
        Silent(),
    )
    assert (trained.gold_cases, trained.pseudo_cases, trained.samples) == (3, 5, 8)
    assert not list(Path().glob("*.checkpoint.*"))
    assert (trained.log / "curves.png").exists()
    measured = student_evaluate(
        StudentEvaluateRequest(student=student, labeled_set=Path("made"), device="cpu"), Silent()
    )
    (row,) = measured.summaries()
    assert (row.name, row.cases) == ("disc", 2)
    assert row.dice_mean > 0.7
    json.dumps(measured.to_json(), allow_nan=False)
    (discs.parent / "images/broken.png").write_bytes(b"no picture")
    labeled = student_label(
        StudentLabelRequest(
            student=student, inputs=(discs.parent / "images",), output=Path("found"), device="cpu"
        ),
        Silent(),
    )
    assert (labeled.count("done"), labeled.count("failed")) == (10, 1)
    found = read_labels("found/d0_label.nii.gz")
    assert [label.name for label in found.labels] == ["disc"]
    provenance = read_provenance(Path("found/d0_label.nii.gz"))
    assert provenance is not None
    assert provenance.method == "student/unet"


def test_a_student_needs_something_to_learn_from(discs: Path) -> None:
    write_set(read_set(discs).keep(lambda case: not case.is_labeled), overwrite=True)
    with pytest.raises(AnnotationError, match="no labeled training case"):
        student_train(
            StudentTrainRequest(labeled_set=discs, output=Path("s.safetensors"), settings=SMALL), Silent()
        )


@pytest.mark.parametrize(
    ("settings", "fact"),
    [
        ({"method": "magic"}, "no pseudo-labeler 'magic'"),
        ({"min_score": 2.0}, "from 0 to 1"),
        ({"output": Path("set.json")}, "must be a folder"),
        ({"seed": -1}, "seed"),
    ],
)
def test_what_a_request_refuses(settings: dict[str, Any], fact: str) -> None:
    with pytest.raises(ConfigError, match=fact):
        PseudoLabelRequest(**{"labeled_set": Path("s"), "method": "auto", "output": Path("o"), **settings})


def test_a_label_outside_the_list_fails_its_case_alone(discs: Path) -> None:
    """A mask that was changed after the set was made."""
    made = read_set(discs)
    case = made.part("train").gold[0]
    volume = open_case(case, made).volume
    found = read_labels(label_file(made, case))
    other = discs.parent / "other.nii.gz"
    write_labels(LabelVolume(found.voxels * 7, found.affine_ras_mm, ()), other, like=volume)
    cases = [replace(each, labels=other) if each.name == case.name else each for each in made.cases]
    write_set(made.with_cases(cases), overwrite=True)
    trained = student_train(
        StudentTrainRequest(
            labeled_set=discs,
            output=Path("s.safetensors"),
            network="unet",
            settings={**SMALL, "steps": "1"},
            device="cpu",
        ),
        Silent(),
    )
    (problem,) = trained.problems
    assert problem.case == case.name
    assert "label 7, which the set does not list" in problem.reason
    assert trained.gold_cases == 2
