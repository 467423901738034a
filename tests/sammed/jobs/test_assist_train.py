"""`assist-train`: which slices count, what the skill keeps, what the job refuses."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sammed.annotations.slice_sampling import annotate
from sammed.errors import AnnotationError, ConfigError, SetError
from sammed.jobs.assist_train import AssistTrainRequest, assist_train, find_pair
from sammed.jobs.demo_data import demo_pair
from sammed.progress import Silent
from sammed.skills.skill_file import read_skill, skill_digest
from sammed_volumes.errors import LabelError, OutputError, VolumeError
from sammed_volumes.formats import read_labels, write_labels
from sammed_volumes.labels import LabelVolume
from sammed_volumes.slices import Slicing, plan_slices
from sammed_volumes.volume import Volume
from tests.conftest import Phantom
from tests.sammed.conftest import Case, Notes


def request(case: Case, **settings: Any) -> AssistTrainRequest:
    return AssistTrainRequest(image=case.image, labels=case.labels, **settings)


def plan(labels: LabelVolume) -> Slicing:
    return plan_slices(labels.shape, labels.affine_ras_mm)


def only_slices(labels: LabelVolume, kept: list[int]) -> LabelVolume:
    """The labels on those slices along the third axis alone, as if no other slice were annotated."""
    voxels = np.zeros_like(labels.voxels)
    voxels[:, :, kept] = labels.voxels[:, :, kept]
    return replace(labels, voxels=voxels)


def test_the_result_and_the_file_hold_what_was_learned(case: Case, skill: Path, tmp_path: Path) -> None:
    output = tmp_path / "liver & co.safetensors"
    result = assist_train(request(case, slices=2, output=output), Silent())
    written = read_skill(output)
    assert (result.skill, result.backbone, result.axis) == (output, "tiny", 2)
    assert result.labels == ("lung", "heart", "tumour")
    assert len(result.annotated_slices) == 2
    assert len(result.background_slices) == 2, "a complete label file has slices that are empty for sure"
    assert sorted(result.annotated_slices + result.background_slices) == list(written.annotations.indices)
    assert result.trainable_parameters == written.learned_numbers == 3 * 2 * 6220
    assert written.auto is not None
    assert result.expected_dice == {
        label.name: written.auto.choices[label.value].expected_dice for label in written.labels
    }
    assert skill_digest(written) == skill_digest(read_skill(skill)), "the same seed learned another skill"


def test_the_skill_is_small(skill: Path) -> None:
    assert skill.stat().st_size < 2_000_000


def test_names_of_values_name_the_labels(case: Case, tmp_path: Path) -> None:
    named = request(case, slices=1, auto=False, names={2: "Herz"}, label=("Herz",))
    assert assist_train(named, Silent()).labels == ("Herz",)
    with pytest.raises(
        SetError, match=r"No label has the value 9, so it can't be named colon; the values are"
    ):
        assist_train(replace(named, names={9: "colon"}, overwrite=True), Silent())


def test_without_the_generator(case: Case, tmp_path: Path) -> None:
    assist_train(request(case, slices=1, auto=False, label=("2",)), Silent())
    written = read_skill(tmp_path / "skill.safetensors")
    assert written.auto is None
    assert [label.name for label in written.labels] == ["heart"]


def test_a_volume_of_one_slice(
    tmp_path: Path, phantom: Callable[..., Phantom], save: Callable[[Volume, Path], Path]
) -> None:
    made = phantom()
    volume = replace(made.volume, voxels=made.volume.voxels[:, :, 6:7])
    image = save(volume, tmp_path / "slice.nii.gz")
    labels = tmp_path / "truth.nii.gz"
    write_labels(replace(made.labels, voxels=made.labels.voxels[:, :, 6:7]), labels, like=volume)
    result = assist_train(AssistTrainRequest(image=image, labels=labels, label=("heart",)), Silent())
    assert (result.annotated_slices, result.background_slices) == ((0,), ())


def test_only_marked_slices_count(phantom: Callable[..., Phantom]) -> None:
    labels = only_slices(phantom().labels, [5, 8])
    found = annotate(plan(labels), labels, labels.labels)
    assert found.indices == (5, 8)
    np.testing.assert_array_equal(found.masks, plan(labels).to_stack(labels.voxels)[[5, 8]])


def test_slices_that_show_other_labels_are_known_to_lack_this_one(phantom: Callable[..., Phantom]) -> None:
    """The annotator marked slices 6 and 9: the lung is on both, the heart on the first one alone."""
    labels = only_slices(phantom().labels, [6, 9])
    (heart,) = labels.select(["heart"])
    found = annotate(plan(labels), labels, (heart,))
    assert found.indices == (6, 9)
    assert (found.foreground, found.masks[1].any()) == ((0,), False)
    assert annotate(plan(labels), labels, (heart,), empty_slices=(12,)).indices == (6, 9, 12)


def test_empty_slices_are_empty_because_the_annotator_says_so(phantom: Callable[..., Phantom]) -> None:
    labels = only_slices(phantom().labels, [5, 8])
    found = annotate(plan(labels), labels, labels.labels, empty_slices=(0, 12))
    assert found.indices == (0, 5, 8, 12)
    assert not found.masks[[0, 3]].any()


def test_no_background_comes_from_slices_that_nobody_marked(phantom: Callable[..., Phantom]) -> None:
    labels = only_slices(phantom().labels, [3, 6, 9])
    found = annotate(plan(labels), labels, labels.labels, slices=2)
    assert set(found.indices) <= {3, 6, 9}
    assert len(found.indices) == 2


def test_named_slices_count_along_the_array(phantom: Callable[..., Phantom]) -> None:
    """Stored from the head down, slice 3 of the array is the fourth from the top."""
    labels = phantom(axcodes="LPI").labels
    found = annotate(plan(labels), labels, labels.labels, slice_index=(3, 6))
    assert found.indices == (6, 9)
    np.testing.assert_array_equal(found.masks[1], labels.voxels[:, :, 3].T)


def test_labels_that_are_not_asked_for_are_background(phantom: Callable[..., Phantom]) -> None:
    labels = phantom().labels
    found = annotate(plan(labels), labels, labels.select(["heart"]), slice_index=(6,))
    assert np.unique(found.masks).tolist() == [0, 2]


@pytest.mark.parametrize(
    ("settings", "error", "sentence"),
    [
        pytest.param({"slices": 14}, AnnotationError, "14 slices were asked for, but only", id="too many"),
        pytest.param(
            {"slice_index": (0,)}, AnnotationError, "None of the slices named shows", id="nothing there"
        ),
        pytest.param(
            {"slice_index": (99,)},
            VolumeError,
            "Slice 99 is outside the volume: axis 2 has slices 0 to 12",
            id="outside",
        ),
        pytest.param(
            {"slices": 2, "empty_slices": (6,)},
            AnnotationError,
            "slice 6 was said to be empty but",
            id="not empty",
        ),
        pytest.param(
            {"label": ("spleen",)}, LabelError, "no label 'spleen'; choose one of its labels", id="unknown"
        ),
    ],
)
def test_slices_that_can_not_be_used(
    case: Case, tmp_path: Path, settings: dict[str, Any], error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence) as raised:
        assist_train(request(case, **settings), Silent())
    assert str(case.labels) in str(raised.value)
    assert not (tmp_path / "skill.safetensors").exists()


def test_a_label_that_is_named_and_has_no_voxel(
    case: Case, phantom: Callable[..., Phantom], tmp_path: Path
) -> None:
    made = phantom()
    voxels = np.where(made.labels.voxels == 4, 2, made.labels.voxels)
    write_labels(replace(made.labels, voxels=voxels), case.labels, like=made.volume, overwrite=True)
    with pytest.raises(AnnotationError, match=r"'tumour' \(4\) is empty") as raised:
        assist_train(request(case, label=("tumour",)), Silent())
    assert str(case.labels) in str(raised.value)


def test_a_skill_is_not_overwritten(case: Case, skill: Path) -> None:
    before = skill.read_bytes()
    with pytest.raises(OutputError, match="already exists"):
        assist_train(request(case, output=skill), Silent())
    assert skill.read_bytes() == before


def test_the_pair_in_a_folder(tmp_path: Path, notes: Notes) -> None:
    for name in ("image_ct.nii.gz", "label.nrrd", "label.json", "image_ct_label.nii.gz", "notes.txt"):
        (tmp_path / name).touch()
    pair, is_demo = find_pair(tmp_path, notes)
    assert (pair.image.name, pair.labels.name, is_demo) == ("image_ct.nii.gz", "label.nrrd", False)
    assert notes.messages == ["Learning from image_ct.nii.gz and label.nrrd."]


def test_the_pair_in_two_folders(tmp_path: Path) -> None:
    for name in ("images/anna.nii.gz", "images/._anna.nii.gz", "labels/anna.seg.nrrd", "labels/readme.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    pair, _ = find_pair(tmp_path, Silent())
    assert (pair.image.name, pair.labels.name) == ("anna.nii.gz", "anna.seg.nrrd")


def test_no_pair_means_the_demo(tmp_path: Path, notes: Notes) -> None:
    assert find_pair(tmp_path, notes) == (demo_pair(), True)
    assert "demo" in notes.messages[0]
    assert demo_pair().image.is_file()
    assert {"right lung", "left lung"} <= {label.name for label in read_labels(demo_pair().labels).labels}


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        pytest.param(
            ["image1.nii", "image2.nii", "label.nii"], "one image. file, but there is image1.nii, image2.nii"
        ),
        pytest.param(["image.nii"], "one label. file, but there is none"),
    ],
)
def test_a_pair_that_is_not_one(tmp_path: Path, names: list[str], sentence: str) -> None:
    for name in names:
        (tmp_path / name).touch()
    with pytest.raises(ConfigError, match=sentence) as raised:
        find_pair(tmp_path, Silent())
    assert str(tmp_path) in str(raised.value)


def test_training_with_no_files_takes_those_of_the_working_folder(case: Case, tmp_path: Path) -> None:
    case.image.rename(tmp_path / "image.nii.gz")
    case.labels.rename(tmp_path / "label.nii.gz")
    result = assist_train(AssistTrainRequest(slices=2, auto=False), Silent())
    assert result.labels == ("label_1", "label_2", "label_4"), (
        "the names stayed behind in a file of another name"
    )


def test_defaults() -> None:
    assert AssistTrainRequest(slices=2).output == Path("skill.safetensors")


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        pytest.param({"image": Path("a")}, "an image and its labels", id="image alone"),
        pytest.param({"slices": 0}, "one annotated slice or more", id="no slice"),
        pytest.param({"slices": 2, "slice_index": (3,)}, "not both", id="sampled and named"),
        pytest.param({"slice_index": (3, -1)}, "there is no slice -1", id="-1"),
        pytest.param({"empty_slices": (5, 5)}, "Empty slices name 5 twice", id="twice"),
        pytest.param({"draw": "odd"}, "no way to draw slices 'odd'", id="draw"),
        pytest.param({"prompts": "text"}, "no kind of prompts 'text'", id="prompts"),
        pytest.param({"axis": 3}, "must be 0, 1 or 2, not 3", id="axis"),
        pytest.param({"seed": -1}, "A seed is 0 or more", id="seed"),
        pytest.param({"output": Path("a.pt")}, "ends in .safetensors; a.pt", id="suffix"),
    ],
)
def test_requests_that_make_no_sense(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError) as error:
        AssistTrainRequest(**settings)
    assert sentence in str(error.value)
    assert str(error.value).endswith(".")
