"""The job and the command `interpolate`: files in, labels on the image's grid out, no backbone loaded."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
from click.testing import CliRunner

import sammed
from sammed.errors import AnnotationError, ConfigError
from sammed.jobs.interpolate import InterpolateRequest, interpolate
from sammed.progress import Silent
from sammed.storage.provenance import read_provenance
from sammed_cli.main import cli
from sammed_volumes.errors import LabelError, OutputError
from sammed_volumes.formats import read_labels, read_volume
from tests.conftest import Phantom
from tests.sammed.conftest import Case
from tests.volumes.conftest import ALL_AXCODES, reoriented


@pytest.fixture(autouse=True)
def no_backbone(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("interpolation loaded a backbone")

    monkeypatch.setattr("sammed.backbones.loading.load_backbone", refuse)


def test_labels_lie_on_the_images_grid_and_annotated_slices_stay(case: Case) -> None:
    result = interpolate(InterpolateRequest(image=case.image, labels=case.labels, slices=3), Silent())
    image, truth, found = read_volume(case.image), read_labels(case.labels), read_labels(result.output)
    assert found.grid.is_like(image.grid)
    for index in result.annotated_slices:
        taken = np.take(found.voxels, index, result.axis), np.take(truth.voxels, index, result.axis)
        np.testing.assert_array_equal(*taken)
    assert {label.name for label in found.labels} == {label.name for label in truth.labels}


def test_provenance_names_the_method_and_no_skill(case: Case) -> None:
    request = InterpolateRequest(image=case.image, labels=case.labels, slices=3, method="flow")
    result = interpolate(request, Silent())
    provenance = read_provenance(result.output)
    assert provenance is not None
    assert (provenance.method, provenance.origin) == ("interpolation/flow", "pseudo")
    assert (provenance.skill_digest, provenance.backbone) == (None, None)
    assert provenance.annotated_slices == result.annotated_slices


def test_python_and_command_give_the_same_labels(case: Case) -> None:
    result = interpolate(InterpolateRequest(image=case.image, labels=case.labels, slices=3), Silent())
    labeled = sammed.interpolate(read_volume(case.image), read_labels(case.labels), slices=3)
    np.testing.assert_array_equal(labeled.labels.voxels, read_labels(result.output).voxels)
    assert "data:image/png;base64," in labeled._repr_html_()


@pytest.mark.parametrize("axcodes", ALL_AXCODES)
def test_all_orientations_give_the_same_labels(axcodes: str, phantom: Callable[..., Phantom]) -> None:
    made = phantom(shape=(30, 26, 11), spacing_mm=(2.0, 2.0, 6.0), axcodes="RAS")
    marks = np.zeros_like(made.labels.voxels)
    marks[:, :, 3:8:2] = made.labels.voxels[:, :, 3:8:2]

    def interpolated(turn: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
        voxels, affine = turn(made.volume.voxels)
        image = replace(made.volume, voxels=voxels, affine_ras_mm=affine)
        labels = replace(made.labels, voxels=turn(marks)[0], affine_ras_mm=affine)
        return sammed.interpolate(image, labels).labels.voxels

    affine = made.volume.affine_ras_mm
    straight = interpolated(lambda array: (array, affine))
    assert np.count_nonzero(straight) > 2 * np.count_nonzero(marks)
    turned = interpolated(lambda array: reoriented(array, affine, axcodes))
    np.testing.assert_array_equal(turned, reoriented(straight, affine, axcodes)[0])


def test_the_command_prints_json(case: Case, tmp_path: Path) -> None:
    output = tmp_path / "found.nii.gz"
    arguments = [str(case.image), str(case.labels), "--slices", "3", "--output", str(output), "--json"]
    done = CliRunner().invoke(cli, ["interpolate", *arguments])
    assert done.exit_code == 0, done.output
    printed = json.loads(done.stdout)
    assert set(printed) == {
        "image", "output", "method", "axis", "annotated_slices", "expected_dice", "seconds"
    }  # fmt: skip
    assert output.exists()


def test_nothing_is_overwritten(case: Case) -> None:
    request = InterpolateRequest(image=case.image, labels=case.labels, slices=3)
    interpolate(request, Silent())
    with pytest.raises(OutputError, match="already exists"):
        interpolate(request, Silent())


def test_provenance_of_another_label_volume_is_not_replaced(case: Case) -> None:
    """The names of both label volumes differ in the suffix, those of their provenance not at all."""
    request = InterpolateRequest(image=case.image, labels=case.labels, slices=3)
    first = interpolate(request, Silent()).output
    known = read_provenance(first)
    other = replace(
        request, output=first.with_name(first.name.replace(".nii.gz", ".seg.nrrd")), method="flow"
    )
    with pytest.raises(OutputError, match=r"says where .*\.nii\.gz comes from, and .*\.seg\.nrrd would"):
        interpolate(other, Silent())
    assert read_provenance(first) == known
    interpolate(replace(other, overwrite=True), Silent())


def test_an_image_in_the_place_of_the_labels_is_refused(case: Case, tmp_path: Path) -> None:
    image = read_volume(case.image)
    scan = tmp_path / "scan.nii.gz"
    voxels = (image.voxels.astype(np.int32) - image.voxels.min()).astype(np.uint16)  # as an MRI: none below 0
    nibabel.save(nibabel.Nifti1Image(voxels, image.affine_ras_mm), scan)
    with pytest.raises(LabelError, match=r"scan.nii.gz looks like an image, not like labels"):
        interpolate(InterpolateRequest(image=case.image, labels=scan), Silent())


def test_what_does_not_fit_is_refused(case: Case) -> None:
    with pytest.raises(ConfigError, match="no method"):
        InterpolateRequest(image=case.image, labels=case.labels, method="magic")  # type: ignore[arg-type]
    with pytest.raises(AnnotationError):
        interpolate(InterpolateRequest(image=case.image, labels=case.labels, slice_index=(0,)), Silent())
