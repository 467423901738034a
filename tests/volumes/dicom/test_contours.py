"""RTSTRUCT: contours are filled at pixel centers, on the grid of the image that they were drawn on."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sammed_volumes.affine import apply_affine, swap_ras_lps
from sammed_volumes.dicom.polygons import fill_polygons
from sammed_volumes.errors import GeometryMismatchError, LabelError, UnreadableVolumeError, VolumeError
from sammed_volumes.formats import read_labels, read_volume
from sammed_volumes.grid import VoxelGrid
from sammed_volumes.labels import check_same_grid
from tests.volumes.conftest import Reorient
from tests.volumes.dicom.conftest import Make, Save, SeriesMaker

CLASS = "1.2.840.10008.5.1.4.1.1.481.3"
IMAGE = np.random.default_rng(0).integers(0, 2000, (20, 16, 5)).astype(np.int16)


@pytest.fixture
def series(make_series: SeriesMaker, oblique: np.ndarray) -> Any:
    return make_series(IMAGE, oblique)


@pytest.fixture
def contours(make_item: Make, save_dicom: Save, tmp_path: Path) -> Any:
    """Write an RTSTRUCT: a name and polygons N 3 in voxels for each structure."""

    def make(grid: VoxelGrid, structures: Any, path: Path | None = None, kind: str = "CLOSED_PLANAR") -> Any:
        to_lps = swap_ras_lps(grid.affine_ras_mm)
        made = make_item(SOPClassUID=CLASS, SOPInstanceUID="1.2.3.5", Modality="RTSTRUCT", PatientName="")
        made.StructureSetROISequence = [
            make_item(ROINumber=number, ROIName=name) for number, (name, _) in enumerate(structures, start=1)
        ]
        made.ROIContourSequence = [
            make_item(
                ReferencedROINumber=number,
                ROIDisplayColor=[255, 16 * number, 0],
                ContourSequence=[
                    make_item(
                        ContourGeometricType=kind,
                        NumberOfContourPoints=len(polygon),
                        ContourData=[
                            round(float(part), 4)
                            for part in apply_affine(to_lps, np.array(polygon, float)).ravel()
                        ],
                    )
                    for polygon in polygons
                ],
            )
            for number, (_, polygons) in enumerate(structures, start=1)
        ]
        return save_dicom(made, path or tmp_path / "rt.dcm")

    return make


def square(low: float, high: float, k: float) -> list[tuple[float, float, float]]:
    return [(low, low, k), (high, low, k), (high, high, k), (low, high, k)]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # rt-utils is written for pydicom 2
def test_contours_of_another_program_give_its_masks(make_series: SeriesMaker, tmp_path: Path) -> None:
    """rt-utils traces masks through their outermost pixel centers: a block and a ring come back whole.

    Pixels are square here, because it mixes up the two spacings. It is no requirement of the tests: it
    brings an OpenCV that needs a screen's libraries.
    """
    rt_utils = pytest.importorskip("rt_utils", reason="rt-utils is not installed")
    keywords = (
        *("StudyDate", "StudyTime", "StudyID", "StudyDescription", "PatientID", "PatientName"),
        *("PatientBirthDate", "PatientSex", "PatientAge", "PatientSize", "PatientWeight"),
    )
    empty: dict[str, Any] = dict.fromkeys(keywords)
    folder = make_series(IMAGE, np.diag([-0.6, -0.6, 2.5, 1.0]), **empty)
    volume = read_volume(folder)
    block, ring = np.zeros(volume.shape, bool), np.zeros(volume.shape, bool)
    block[2:8, 3:6, 1:3] = True
    ring[10:18, 4:14, 2:4] = True
    ring[13:15, 7:10, 2:4] = False
    builder = rt_utils.RTStructBuilder.create_new(dicom_series_path=str(folder))
    for name, mask in (("block", block), ("ring", ring)):
        builder.add_roi(mask=np.swapaxes(mask, 0, 1), name=name, color=[9, 8, 7])
    builder.save(str(tmp_path / "rt.dcm"))
    found = read_labels(tmp_path / "rt.dcm", like=volume.grid)
    assert [(each.value, each.name, each.color_rgb) for each in found.labels] == [
        (1, "block", (9, 8, 7)),
        (2, "ring", (9, 8, 7)),
    ]
    np.testing.assert_array_equal(found.voxels == 1, block)
    np.testing.assert_array_equal(found.voxels == 2, ring)


def test_a_contour_on_pixel_edges_and_a_hole_in_it(series: Path, contours: Make) -> None:
    volume = read_volume(series)
    path = contours(volume.grid, [("liver", [square(1.5, 10.5, 2), square(3.5, 6.5, 2)]), ("spleen", [])])
    found = read_labels(path, like=volume.grid)
    expected = np.zeros(volume.shape, np.uint8)
    expected[2:11, 2:11, 2] = 1
    expected[4:7, 4:7, 2] = 0
    np.testing.assert_array_equal(found.voxels, expected)
    assert [label.name for label in found.labels] == ["liver", "spleen"]
    check_same_grid(volume, found)


def test_the_grid_may_be_stored_in_any_orientation(
    series: Path, contours: Make, reorient: Reorient, axcodes: str
) -> None:
    volume = read_volume(series)
    path = contours(volume.grid, [("liver", [square(1.5, 10.5, 2), square(2.5, 6.5, 3)])])
    plain = read_labels(path, like=volume.grid)
    turned, affine_ras_mm = reorient(plain.voxels, volume.affine_ras_mm, axcodes)
    found = read_labels(path, like=VoxelGrid(turned.shape, affine_ras_mm))
    np.testing.assert_array_equal(found.voxels, turned)


def test_a_file_beside_its_series_needs_no_image(
    series: Path, contours: Make, make_item: Make, save_dicom: Save
) -> None:
    import pydicom

    volume = read_volume(series)
    path = contours(volume.grid, [("liver", [square(1.5, 10.5, 2)])], series / "rt.dcm")
    with pytest.raises(UnreadableVolumeError, match="its contours need the image that they were drawn on"):
        read_labels(path)
    made = pydicom.dcmread(path)
    drawn_on = make_item(RTReferencedSeriesSequence=[make_item(SeriesInstanceUID="1.2.3.4")])
    made.ReferencedFrameOfReferenceSequence = [make_item(RTReferencedStudySequence=[drawn_on])]
    made.save_as(path)
    found = read_labels(path)
    assert found.voxel_counts() == {1: 81}
    assert read_volume(series).shape == volume.shape


def test_structures_that_overlap(series: Path, contours: Make) -> None:
    volume = read_volume(series)
    path = contours(volume.grid, [("body", [square(0.5, 12.5, 2)]), ("liver", [square(3.5, 6.5, 2)])])
    with pytest.raises(LabelError, match=r"'body' and 'liver' overlap.*with --flatten the later one wins"):
        read_labels(path, like=volume.grid)
    assert read_labels(path, like=volume.grid, flatten=True).voxel_counts() == {1: 135, 2: 9}


def test_contours_of_another_image_are_refused(series: Path, contours: Make) -> None:
    grid = read_volume(series).grid
    for place in (2.5, 17):
        path = contours(grid, [("liver", [square(1.5, 10.5, place)])])
        with pytest.raises(
            GeometryMismatchError, match=r"a contour of 'liver' is not on a slice of the image"
        ):
            read_labels(path, like=grid)
    path = contours(grid, [("liver", [[(1, 1, 0), (9, 1, 1), (9, 9, 3)]])])
    with pytest.raises(GeometryMismatchError, match="its contours run across the slices"):
        read_labels(path, like=grid)


def test_points_hold_no_area(series: Path, contours: Make) -> None:
    grid = read_volume(series).grid
    path = contours(grid, [("marker", [[(4, 4, 2)]])], kind="POINT")
    assert read_labels(path, like=grid).is_empty


def test_polygons_are_filled_at_pixel_centers() -> None:
    """Against the plain test of each center: an odd number of edges to its left, or one through it."""
    rng = np.random.default_rng(4)
    for _ in range(50):
        polygon = rng.uniform(-3, 13, (7, 2))
        expected = np.zeros((10, 9), bool)
        for i, j in np.ndindex(10, 9):
            columns = [
                ax + (j - ay) * (bx - ax) / (by - ay)
                for (ax, ay), (bx, by) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True)
                if (ay < j) != (by < j)
            ]
            is_on_edge = any(abs(column - i) < 1e-3 for column in columns)
            expected[i, j] = is_on_edge or sum(column < i for column in columns) % 2
        np.testing.assert_array_equal(fill_polygons([polygon], (10, 9)), expected)


def test_a_file_cut_within_its_contours_is_named(series: Any, contours: Any) -> None:
    """pydicom gives the contours before the cut, as if there were no more."""
    grid = read_volume(series).grid
    path = contours(grid, [("liver", [square(2, 8, 1)]), ("spleen", [square(9, 12, 1)])])
    whole = path.read_bytes()
    for size in range(200, len(whole), 25):
        path.write_bytes(whole[:size])
        with pytest.raises(VolumeError):
            read_labels(path, like=grid)


@pytest.mark.parametrize("number", [b"nan", b"inf", b"9e9"])
def test_a_contour_that_is_nowhere_is_damage(series: Any, contours: Any, number: bytes) -> None:
    grid = read_volume(series).grid
    path = contours(grid, [("liver", [square(2, 8, 1)])])
    whole = path.read_bytes()
    start = whole.index(b"\\", whole.index(b"CLOSED_PLANAR")) + 1
    end = whole.index(b"\\", start)
    path.write_bytes(whole[:start] + number.ljust(end - start) + whole[end:])
    with pytest.raises(UnreadableVolumeError, match=r"rt\.dcm is cut short or damaged; copy it again"):
        read_labels(path, like=grid)
