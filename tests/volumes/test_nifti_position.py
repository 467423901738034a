"""Positions in NIfTI headers: codes, two that disagree, none."""

from pathlib import Path

import nibabel
import numpy as np
import pytest

from sammed_volumes.formats import read_labels, read_volume, write_labels
from sammed_volumes.nifti_position import position_in
from sammed_volumes.volume import NiftiHeader

VOXELS = np.arange(60, dtype=np.uint8).reshape(3, 4, 5)
AFFINE = np.diag([2.0, 2.0, 3.0, 1.0])


def nifti(path: Path, *, sform: int, qform: int, shift_mm: float = 0.0, second: bool = False) -> Path:
    """Write a file whose qform is `shift_mm` from its sform."""
    image_class = nibabel.Nifti2Image if second else nibabel.Nifti1Image
    image = image_class(VOXELS, None)
    moved = AFFINE.copy()
    moved[0, 3] = shift_mm
    image.set_sform(AFFINE, sform)
    image.set_qform(moved, qform)
    nibabel.save(image, path)
    return path


@pytest.mark.parametrize("second", [False, True])
@pytest.mark.parametrize(
    ("sform", "qform", "shift_mm", "note"),
    [
        (1, 1, 0.0, None),
        (2, 1, 1.9, None),  # less than a voxel
        (2, 1, 12.5, "its sform and qform place voxels up to 12.5 mm apart; the sform is used"),
        (1, 0, 12.5, None),
        (0, 1, 12.5, None),
        (0, 0, 0.0, "it states no position (its sform and qform codes are 0), so positions are made up"),
    ],
)
def test_notes_on_positions(
    tmp_path: Path, second: bool, sform: int, qform: int, shift_mm: float, note: str | None
) -> None:
    path = nifti(tmp_path / "a.nii.gz", sform=sform, qform=qform, shift_mm=shift_mm, second=second)
    for found in (read_volume(path), read_labels(path)):
        assert found.notes == (() if note is None else (note,))
    header = read_volume(path).header
    assert isinstance(header, NiftiHeader)
    position = position_in(header)
    assert (position.sform_code, position.qform_code) == (sform, qform)
    if sform and qform:
        assert position.apart_mm == pytest.approx(shift_mm, abs=1e-4)
        assert position.apart_voxels == pytest.approx(shift_mm / 2, abs=1e-4)
    else:
        assert position.apart_mm is None


def test_a_big_endian_header(tmp_path: Path) -> None:
    header = nibabel.Nifti1Header(endianness=">")
    header.set_data_shape(VOXELS.shape)
    header.set_sform(AFFINE, 3)
    nibabel.save(nibabel.Nifti1Image(VOXELS, None, header), tmp_path / "a.nii")
    found = read_volume(tmp_path / "a.nii").header
    assert isinstance(found, NiftiHeader)
    assert position_in(found).sform_code == 3


def test_labels_of_a_pair_are_a_single_file(tmp_path: Path) -> None:
    nibabel.save(nibabel.Nifti1Pair(VOXELS, AFFINE), tmp_path / "scan.img")
    scan = read_volume(tmp_path / "scan.hdr")
    write_labels(read_labels(tmp_path / "scan.hdr"), tmp_path / "labels.nii.gz", like=scan)
    np.testing.assert_array_equal(
        nibabel.Nifti1Image.from_filename(tmp_path / "labels.nii.gz").get_fdata(), VOXELS
    )
