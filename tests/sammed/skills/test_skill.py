"""The short way in Python: open, learn, save, load, label; it gives what the commands give."""

import base64
import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
import torch
from PIL import Image

import sammed
from sammed.jobs.auto_label import AutoLabelRequest, auto_label
from sammed.progress import Silent
from sammed.skills.model import SkillModel
from sammed.skills.skill_file import read_skill, write_skill
from sammed.storage.fingerprint import image_digest
from sammed.storage.provenance import provenance_path, read_provenance
from sammed_volumes.errors import GeometryMismatchError, LabelError, OutputError, VolumeError
from sammed_volumes.formats import read_labels, read_volume, write_labels
from sammed_volumes.intensity import Window, auto_window, parse_window
from sammed_volumes.volume import Volume
from tests.conftest import Phantom
from tests.sammed.conftest import Case, Notes
from tests.volumes.dicom.conftest import SeriesMaker


@pytest.fixture(autouse=True)
def tiny_machine(machine: None) -> None:
    """Every test runs on the machine of `tests/sammed/conftest.py`."""


def tensors(model: SkillModel) -> dict[str, torch.Tensor]:
    """Every tensor of a skill, by a name of its own."""
    auto = model.require_auto()
    return {
        **{f"{value}/{name}": each for value, part in model.encoders.items() for name, each in part.items()},
        **{f"sap_net/{name}": each for name, each in auto.sap_net.network.state_dict().items()},
        "looks": auto.sap_net.prototypes.looks,
    }


def check_same(found: SkillModel, wanted: SkillModel) -> None:
    assert (found.window, found.axis, found.plane) == (wanted.window, wanted.axis, wanted.plane)
    assert found.annotations.indices == wanted.annotations.indices
    assert found.volume_sha256 == wanted.volume_sha256
    ours, theirs = tensors(found), tensors(wanted)
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if not torch.equal(ours[name], theirs[name])] == []


def test_a_skill_is_that_of_the_command(case: Case, skill: Path) -> None:
    wanted = read_skill(skill)
    by_path = sammed.learn(str(case.image), str(case.labels), slices=2)
    volume, labels = read_volume(case.image), read_labels(case.labels)
    by_array = sammed.learn(volume, labels, slices=2)
    for found in (by_path, by_array):
        check_same(found.model, wanted)
        assert found.digest == sammed.load(skill).digest


def test_labels_are_those_of_the_command(
    case: Case, skill: Path, phantom: Callable[..., Phantom], save: Callable[[Volume, Path], Path]
) -> None:
    image = save(phantom(seed=1).volume, Path("other.nii.gz"))
    (item,) = auto_label(AutoLabelRequest(inputs=(image,)), Silent()).items
    assert item.output is not None
    wanted = read_labels(item.output).voxels
    loaded = sammed.load(skill)
    for given in (
        image,
        str(image),
        read_volume(image),
        sammed.open(image),
        sammed.open(image, window="lung"),
    ):
        np.testing.assert_array_equal(loaded.label(given).labels.voxels, wanted)


def test_a_scan_without_a_window_gets_that_of_the_annotated_region(case: Case) -> None:
    scan = sammed.open(case.image)
    learned = sammed.learn(scan, case.labels, slices=2, auto=False).model
    region = learned.annotations.region(scan.slicing.count)
    assert learned.window == auto_window(scan.volume, scan.slicing, region)


@pytest.mark.parametrize("window", ["-100,200", "lung", Window(-100.0, 200.0, "value")], ids=str)
def test_a_window_that_is_given_is_kept(case: Case, window: str | Window) -> None:
    scan = sammed.open(case.image, window=window)
    learned = sammed.learn(scan, case.labels, slices=1, auto=False).model
    assert learned.window == scan.window == (parse_window(window) if isinstance(window, str) else window)


def test_options_of_learning(case: Case) -> None:
    scan = sammed.open(case.image, axis=0)
    learned = sammed.learn(
        scan, case.labels, slice_index=[20, 25], empty_slices=[0], labels=["heart"], auto=False
    )
    assert learned.model.axis == 0
    assert [label.name for label in learned.labels] == ["heart"]
    assert {scan.slicing.array_index(index) for index in learned.model.annotations.indices} == {0, 20, 25}
    other = sammed.learn(scan, case.labels, slices=2, seed=7, auto=False)
    assert other.model.seed == 7


def test_a_skill_is_saved_and_loaded(case: Case, tmp_path: Path) -> None:
    learned = sammed.learn(case.image, case.labels, slices=1)
    path = learned.save("liver.safetensors")
    assert path == Path("liver.safetensors")
    check_same(sammed.load(path).model, learned.model)
    assert "lung, heart, tumour; tiny; 3 annotated slices" in repr(sammed.load(str(path)))
    with pytest.raises(OutputError, match="already exists"):
        learned.save(path)
    learned.save(path, overwrite=True)


def test_labels_are_saved_with_their_provenance(case: Case, skill: Path) -> None:
    labeled = sammed.load(skill).label(case.image)
    path = labeled.save("found.seg.nrrd")
    found = read_labels(path)
    np.testing.assert_array_equal(found.voxels, labeled.labels.voxels)
    assert found.shape == labeled.volume.shape
    written = read_provenance(path)
    assert written is not None
    assert (written.origin, written.axis, written.backbone) == ("pseudo", labeled.axis, "tiny")
    assert (written.image_file, written.image_sha256) == (case.image.name, image_digest(case.image))
    assert written.annotated_slices == labeled.annotated == read_skill(skill).annotations.indices
    assert written.scores == labeled.scores


def test_labels_of_an_array_are_saved_too(phantom: Callable[..., Phantom], skill: Path) -> None:
    labeled = sammed.load(skill).label(phantom(seed=3).volume)
    path = labeled.save("found.nii.gz")
    np.testing.assert_array_equal(read_labels(path).voxels, labeled.labels.voxels)
    written = read_provenance(path)
    assert written is not None
    assert (written.image_file, written.image_sha256) == ("", labeled.scan.digest)
    assert written.annotated_slices == ()


def test_codes_are_given_by_name(case: Case, skill: Path, tmp_path: Path) -> None:
    voxels = read_volume(case.image).voxels.astype(np.int16)
    folder = SeriesMaker(tmp_path / "series")(voxels, np.diag([-0.7, -0.8, 2.5, 1.0]))
    labeled = sammed.load(skill).label(folder)
    labeled.save("found.dcm", codes={"lung": "T-28000", "heart": "99LOCAL:H"})
    segments = pydicom.dcmread("found.dcm").SegmentSequence
    codes = {each.SegmentLabel: each.SegmentedPropertyTypeCodeSequence[0].CodeValue for each in segments}
    assert codes == {"lung": "39607008", "heart": "H", "tumour": "85756007"}
    with pytest.raises(LabelError, match="is not a code of a label"):
        labeled.save("other.dcm", codes={"lung": "no code"})
    assert not Path("other.dcm").exists()


def test_labels_that_exist_are_kept(case: Case, skill: Path) -> None:
    labeled = sammed.load(skill).label(case.image)
    path = Path("found.nii.gz")
    path.write_bytes(b"made by hand")
    with pytest.raises(OutputError, match="already exists"):
        labeled.save(path)
    assert path.read_bytes() == b"made by hand"
    assert not provenance_path(path).exists()
    labeled.save(path, overwrite=True)
    np.testing.assert_array_equal(read_labels(path).voxels, labeled.labels.voxels)


def test_a_notebook_shows_the_overlay(case: Case, skill: Path) -> None:
    html = sammed.load(skill).label(case.image)._repr_html_()
    head, _, rest = html.partition("data:image/png;base64,")
    assert head.startswith("<img ")
    with Image.open(io.BytesIO(base64.b64decode(rest.partition('"')[0]))) as picture:
        assert picture.format == "PNG"
        assert min(picture.size) > 100


def test_nothing_is_printed_without_a_reporter(
    case: Case, capfd: pytest.CaptureFixture[str], phantom: Callable[..., Phantom]
) -> None:
    voxels = phantom().volume.voxels.astype(np.float32)
    voxels[0, 0, 0] = np.nan
    scan = sammed.open(replace(phantom().volume, voxels=voxels))
    sammed.learn(scan, case.labels, slices=1).label(scan)
    assert capfd.readouterr() == ("", "")


def test_a_reporter_gets_messages_and_tasks(
    case: Case, phantom: Callable[..., Phantom], save: Callable[[Volume, Path], Path], notes: Notes
) -> None:
    volume = phantom().volume
    voxels = volume.voxels.astype(np.float32)
    voxels[0, 0, 0] = np.nan
    save(replace(volume, voxels=voxels), case.image)
    scan = sammed.open(case.image, reporter=notes)
    (message,) = notes.messages
    assert message.startswith(f"{case.image}: 1 values are NaN or infinite")
    sammed.learn(scan, case.labels, slices=1, auto=False, reporter=notes)


def test_labels_on_another_grid(case: Case, phantom: Callable[..., Phantom]) -> None:
    made = phantom(shape=(41, 37, 12))
    write_labels(made.labels, Path("other.nii.gz"), like=made.volume)
    with pytest.raises(GeometryMismatchError, match="41 x 37 x 12") as raised:
        sammed.learn(case.image, "other.nii.gz")
    check_sentence(raised.value)


def test_labels_that_are_missing(case: Case) -> None:
    with pytest.raises(VolumeError, match=r"nowhere\.nii\.gz") as raised:
        sammed.learn(case.image, "nowhere.nii.gz")
    check_sentence(raised.value)


def test_a_skill_for_another_backbone(case: Case, skill: Path) -> None:
    write_skill(replace(read_skill(skill), backbone_digest="0" * 64), skill, overwrite=True)
    with pytest.raises(sammed.SkillError, match="their digests differ") as raised:
        sammed.load(skill).label(case.image)
    check_sentence(raised.value)


def test_a_skill_that_is_missing() -> None:
    with pytest.raises(sammed.SkillError, match=r"There is no skill nowhere\.safetensors") as raised:
        sammed.load("nowhere.safetensors")
    check_sentence(raised.value)


def check_sentence(error: Exception) -> None:
    assert "\n" not in str(error)
    assert str(error).endswith(".")
