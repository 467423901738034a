"""Orientation, compared with nibabel for every way to store a volume."""

import nibabel
import numpy as np
import pytest

from sammed_volumes.errors import AffineError, VolumeError
from sammed_volumes.orientation import PLANES, axis_codes, axis_of_plane, patient_axes
from tests.conftest import MakePhantom
from tests.volumes.conftest import Reorient


def rotation(axis: int, degrees: float) -> np.ndarray:
    turned = np.eye(4)
    others = [each for each in range(3) if each != axis]
    cosine, sine = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    turned[np.ix_(others, others)] = [[cosine, -sine], [sine, cosine]]
    return turned


def test_axis_codes_are_nibabels(axcodes: str, phantom: MakePhantom) -> None:
    affine = phantom(axcodes=axcodes).volume.affine_ras_mm
    assert axis_codes(affine) == axcodes == "".join(nibabel.aff2axcodes(affine))


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("degrees", [-44, -20, 20, 44])
def test_oblique_goes_to_the_nearest(axcodes: str, phantom: MakePhantom, axis: int, degrees: int) -> None:
    affine = rotation(axis, degrees) @ phantom(axcodes=axcodes).volume.affine_ras_mm
    assert axis_codes(affine) == axcodes


def test_a_rotation_by_45_degrees_gets_the_same_axis_however_it_is_stored(reorient: Reorient) -> None:
    """The anatomy breaks a tie between two orientations, not the order of the array's axes."""
    tilted = rotation(0, 45) @ np.diag([1.0, 1.0, 1.0, 1.0])
    grid = np.zeros((3, 5, 7), dtype=np.uint8)
    superior = set()
    for order in ("RAS", "RSA", "SAR", "ASR", "LPI", "IPL", "PIR"):
        # nibabel breaks the tie in its own way; any permutation and flip of the array works here.
        _, affine = reorient(grid, tilted, order)
        column = affine[:3, axis_of_plane(affine, "axial")]
        superior.add((*np.abs(column).round(6).tolist(), round(float(column[1] * column[2]), 6)))
    assert len(superior) == 1, f"the axial normal depends on how the array is stored: {superior}"


def test_a_sheared_affine_keeps_its_axes() -> None:
    tilted_gantry = np.array([[1, 0, 0, 0], [0, 1, 0.4, 0], [0, 0, 2.0, 0], [0, 0, 0, 1]])
    assert axis_codes(tilted_gantry) == "RAS"


@pytest.mark.parametrize("plane", ["axial", "coronal", "sagittal"])
def test_axis_of_plane_runs_along_the_planes_normal(axcodes: str, phantom: MakePhantom, plane: str) -> None:
    affine = phantom(axcodes=axcodes).volume.affine_ras_mm
    assert PLANES[patient_axes(affine)[axis_of_plane(affine, plane)]] == plane


def test_an_unknown_plane_is_named() -> None:
    with pytest.raises(VolumeError, match="'oblique' is not a plane; use axial, coronal, sagittal"):
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
def test_a_singular_affine_has_no_orientation(affine: np.ndarray, fact: str) -> None:
    with pytest.raises(AffineError, match=fact):
        patient_axes(affine)
