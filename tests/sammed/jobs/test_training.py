"""Learning from files: which slices count, what the skill keeps, what is refused."""

from dataclasses import replace

import numpy as np
import pytest
from sammed.jobs.inputs import demo_pair, find_pair
from sammed.jobs.requests import GeneratorRequest, TrainingRequest
from sammed.jobs.training import annotate, train, train_generator

from sammed.errors import AnnotationError, ConfigError, SkillError
from sammed.progress import Silent
from sammed.skills.skill_file import read_skill, skill_digest
from sammed_volumes.errors import LabelError, OutputError, VolumeError
from sammed_volumes.formats import read_labels, write_labels
from sammed_volumes.labels import LabelVolume
from sammed_volumes.slices import plan_slices


def request(case, **settings) -> TrainingRequest:
    return TrainingRequest(image=case.image, labels=case.labels, **settings)


def plan(labels: LabelVolume):
    return plan_slices(labels.shape, labels.affine_ras_mm)


def only_slices(labels: LabelVolume, kept: list[int]) -> LabelVolume:
    """The labels on those slices along the third axis alone, as from a person who marked no other."""
    voxels = np.zeros_like(labels.voxels)
    voxels[:, :, kept] = labels.voxels[:, :, kept]
    return replace(labels, voxels=voxels)


def test_what_was_learned_is_said_and_written(case, skill, tmp_path):
    output = tmp_path / "liver & co.safetensors"
    result = train(request(case, slices=2, output=output), Silent())
    written = read_skill(output)
    assert (result.skill, result.backbone, result.axis) == (output, "tiny", 2)
    assert result.labels == ("lung", "heart", "tumour")
    assert len(result.annotated_slices) == 2
    assert len(result.background_slices) == 2, "a complete label file has slices that are empty for sure"
    assert sorted(result.annotated_slices + result.background_slices) == list(written.annotations.indices)
    assert result.trainable_parameters == written.learned_numbers == 3 * 2 * 6220
    assert written.auto is not None
    assert skill_digest(output) == skill_digest(skill), "the same seed learned another skill"


def test_the_skill_is_small(skill):
    assert skill.stat().st_size < 2_000_000


def test_without_the_generator(case, tmp_path):
    train(request(case, slices=1, auto=False, label=("2",)), Silent())
    written = read_skill(tmp_path / "skill.safetensors")
    assert written.auto is None
    assert [label.name for label in written.labels] == ["heart"]
    with pytest.raises(SkillError, match="auto-train"):
        written.require_auto()
    again = GeneratorRequest(image=case.image, labels=case.labels, slice_index=(6,), overwrite=True)
    train_generator(again, Silent())
    assert read_skill(tmp_path / "skill.safetensors").auto is not None


def test_a_volume_of_one_slice(tmp_path, phantom, save):
    made = phantom()
    volume = replace(made.volume, voxels=made.volume.voxels[:, :, 6:7])
    image = save(volume, tmp_path / "slice.nii.gz")
    labels = tmp_path / "truth.nii.gz"
    write_labels(replace(made.labels, voxels=made.labels.voxels[:, :, 6:7]), labels, like=volume)
    result = train(TrainingRequest(image=image, labels=labels, label=("heart",)), Silent())
    assert (result.annotated_slices, result.background_slices) == ((0,), ())


def test_only_marked_slices_count(phantom):
    labels = only_slices(phantom().labels, [5, 8])
    found = annotate(plan(labels), labels, labels.labels)
    assert found.indices == (5, 8)
    np.testing.assert_array_equal(found.masks, plan(labels).to_stack(labels.voxels)[[5, 8]])


def test_empty_slices_are_empty_because_the_person_says_so(phantom):
    labels = only_slices(phantom().labels, [5, 8])
    found = annotate(plan(labels), labels, labels.labels, empty_slices=(0, 12))
    assert found.indices == (0, 5, 8, 12)
    assert not found.masks[[0, 3]].any()


def test_no_background_is_drawn_from_slices_that_nobody_marked(phantom):
    labels = only_slices(phantom().labels, [3, 6, 9])
    found = annotate(plan(labels), labels, labels.labels, slices=2)
    assert set(found.indices) <= {3, 6, 9}
    assert len(found.indices) == 2


def test_named_slices_count_along_the_array(phantom):
    """Stored from the head downwards, slice 3 of the array is the fourth from above."""
    labels = phantom(axcodes="LPI").labels
    found = annotate(plan(labels), labels, labels.labels, slice_index=(3, 6))
    assert found.indices == (6, 9)
    np.testing.assert_array_equal(found.masks[1], labels.voxels[:, :, 3].T)


def test_labels_that_are_not_asked_for_are_background(phantom):
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
            {"label": ("spleen",)}, LabelError, "no label 'spleen'; its labels are: lung", id="unknown"
        ),
    ],
)
def test_slices_that_can_not_be_used(case, tmp_path, settings, error, sentence):
    with pytest.raises(error, match=sentence) as raised:
        train(request(case, **settings), Silent())
    assert str(case.labels) in str(raised.value)
    assert not (tmp_path / "skill.safetensors").exists()


def test_a_label_that_is_named_and_has_no_voxel(case, phantom, tmp_path):
    made = phantom()
    voxels = np.where(made.labels.voxels == 4, 2, made.labels.voxels)
    write_labels(replace(made.labels, voxels=voxels), case.labels, like=made.volume, overwrite=True)
    with pytest.raises(AnnotationError, match=r"'tumour' \(4\) is empty") as raised:
        train(request(case, label=("tumour",)), Silent())
    assert str(case.labels) in str(raised.value)


def test_a_skill_is_not_overwritten(case, skill):
    before = skill.read_bytes()
    with pytest.raises(OutputError, match="exists already"):
        train(request(case, output=skill), Silent())
    assert skill.read_bytes() == before


def test_learning_the_generator_again_changes_nothing_else(case, skill, tmp_path):
    before, output = read_skill(skill), tmp_path / "again.safetensors"
    result = train_generator(
        GeneratorRequest(image=case.image, labels=case.labels, skill=skill, slices=1, seed=5, output=output),
        Silent(),
    )
    after = read_skill(output)
    assert len(result.annotated_slices) == 1
    for name in ("backbone", "backbone_digest", "plane", "axis", "window", "labels", "prompts", "seed"):
        assert getattr(after, name) == getattr(before, name), name
    for value, encoder in before.encoders.items():
        for name, weight in encoder.items():
            assert weight.equal(after.encoders[value][name]), f"the prompt encoder of {value} changed: {name}"
    old, new = before.require_auto().sap_net.prototypes, after.require_auto().sap_net.prototypes
    assert not old.looks.equal(new.looks)


def test_a_value_that_means_another_structure_is_not_learned(case, skill, phantom):
    """The same value with another name is another organ."""
    made = phantom()
    named = (replace(made.labels.labels[0], name="spleen"), *made.labels.labels[1:])
    write_labels(replace(made.labels, labels=named), case.labels, like=made.volume, overwrite=True)
    with pytest.raises(AnnotationError, match="calls the label 1 'spleen' and the skill calls it 'lung'"):
        train_generator(
            GeneratorRequest(image=case.image, labels=case.labels, skill=skill, overwrite=True), Silent()
        )


class Listener(Silent):
    """Keeps what it is told."""

    def __init__(self):
        self.messages = []

    def message(self, text):
        self.messages.append(text)


def test_the_pair_in_a_folder(tmp_path):
    for name in ("image_ct.nii.gz", "label.nrrd", "label.json", "image_ct_label.nii.gz", "notes.txt"):
        (tmp_path / name).touch()
    listener = Listener()
    pair, is_demo = find_pair(tmp_path, listener)
    assert (pair.image.name, pair.labels.name, is_demo) == ("image_ct.nii.gz", "label.nrrd", False)
    assert listener.messages == ["Learning from image_ct.nii.gz and label.nrrd."]


def test_the_pair_in_two_folders(tmp_path):
    for name in ("images/anna.nii.gz", "images/._anna.nii.gz", "labels/anna.seg.nrrd", "labels/readme.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    pair, _ = find_pair(tmp_path, Silent())
    assert (pair.image.name, pair.labels.name) == ("anna.nii.gz", "anna.seg.nrrd")


def test_no_pair_means_the_demo(tmp_path):
    listener = Listener()
    assert find_pair(tmp_path, listener) == (demo_pair(), True)
    assert "demo" in listener.messages[0]
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
def test_a_pair_that_is_not_one(tmp_path, names, sentence):
    for name in names:
        (tmp_path / name).touch()
    with pytest.raises(ConfigError, match=sentence) as raised:
        find_pair(tmp_path, Silent())
    assert str(tmp_path) in str(raised.value)


def test_training_with_no_files_takes_those_of_the_working_folder(case, tmp_path):
    case.image.rename(tmp_path / "image.nii.gz")
    case.labels.rename(tmp_path / "label.nii.gz")
    result = train(TrainingRequest(slices=2, auto=False), Silent())
    assert result.labels == ("label_1", "label_2", "label_4"), (
        "the names stayed behind in a file of another name"
    )
