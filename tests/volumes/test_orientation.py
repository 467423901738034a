"""Orientation, held against nibabel for every way to store a volume."""

import nibabel
import numpy as np
import pytest

from sammed_volumes.errors import AffineError, VolumeError
from sammed_volumes.orientation import axis_codes, axis_of_plane, patient_axes, plane_of_axis


def rotation(axis: int, degrees: float) -> np.ndarray:
    turned = np.eye(4)
    others = [each for each in range(3) if each != axis]
    cosine, sine = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    turned[np.ix_(others, others)] = [[cosine, -sine], [sine, cosine]]
    return turned


def test_axis_codes_are_nibabels(axcodes, phantom):
    affine = phantom(axcodes=axcodes).volume.affine_ras_mm
    assert axis_codes(affine) == axcodes == "".join(nibabel.aff2axcodes(affine))


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("degrees", [-44, -20, 20, 44])
def test_oblique_goes_to_the_nearest(axcodes, phantom, axis, degrees):
    affine = rotation(axis, degrees) @ phantom(axcodes=axcodes).volume.affine_ras_mm
    assert axis_codes(affine) == axcodes


def test_a_turn_by_45_degrees_gets_one_anatomical_axis_however_it_is_stored(reorient):
    """A tie between two orientations is broken by the anatomy and not by the order of the array's axes."""
    tilted = rotation(0, 45) @ np.diag([1.0, 1.0, 1.0, 1.0])
    grid = np.zeros((3, 5, 7), dtype=np.uint8)
    superior = set()
    for order in ("RAS", "RSA", "SAR", "ASR", "LPI", "IPL", "PIR"):
        # nibabel breaks the tie its own way; any permutation and flip of the array will do.
        _, affine = reorient(grid, tilted, order)
        column = affine[:3, axis_of_plane(affine, "axial")]
        superior.add((*np.abs(column).round(6).tolist(), round(float(column[1] * column[2]), 6)))
    assert len(superior) == 1, f"the axial normal depends on how the array is stored: {superior}"


def test_a_sheared_affine_keeps_its_axes():
    tilted_gantry = np.array([[1, 0, 0, 0], [0, 1, 0.4, 0], [0, 0, 2.0, 0], [0, 0, 0, 1]])
    assert axis_codes(tilted_gantry) == "RAS"


@pytest.mark.parametrize("plane", ["axial", "coronal", "sagittal"])
def test_axis_of_plane_and_back(axcodes, phantom, plane):
    affine = phantom(axcodes=axcodes).volume.affine_ras_mm
    assert plane_of_axis(affine, axis_of_plane(affine, plane)) == plane


def test_an_unknown_plane_is_named():
    with pytest.raises(VolumeError, match="A plane is one of axial, coronal, sagittal, not 'oblique'"):
        axis_of_plane(np.eye(4), "oblique")


@pytest.mark.parametrize(
    ("affine", "fact"),
    [
        pytest.param(np.diag([1.0, 0.0, 1.0, 1.0]), "singular", id="an axis without length"),
        pytest.param(
            np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]]), "singular", id="flat"
        ),
        pytest.param(np.diag([1.0, np.nan, 1.0, 1.0]), "not finite", id="not a number"),
    ],
)
def test_no_orientation_without_a_volume(affine, fact):
    with pytest.raises(AffineError, match=fact):
        patient_axes(affine)
