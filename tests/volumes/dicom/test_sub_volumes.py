"""Sub-volumes of a series, copies of slices, gaps, and what is said about them."""

import shutil
from typing import Any

import numpy as np
import pytest

from sammed_volumes.errors import SeriesError
from sammed_volumes.formats import read_volume
from tests.volumes.dicom.conftest import SeriesMaker

STRAIGHT = np.diag([-0.5, -0.6, 2.5, 1.0])
RANDOM = np.random.default_rng(1)


def voxels(count: int = 4) -> np.ndarray:
    return RANDOM.integers(0, 2000, (7, 5, count)).astype(np.int16)


@pytest.mark.parametrize(
    ("keyword", "values", "name"),
    [
        ("EchoTime", ("4.6", "9.2"), "echo time"),
        ("TemporalPositionIdentifier", (1, 2), "temporal position"),
        ("ImageType", (["ORIGINAL", "PRIMARY", "M"], ["ORIGINAL", "PRIMARY", "P"]), "image type"),
        ("ConvolutionKernel", ("B30", "B60"), "kernel"),
        ("AcquisitionNumber", (3, 4), "acquisition"),
        ("ContentTime", ("101500", "101640"), "content time"),
    ],
)
def test_a_header_tells_sub_volumes_apart(
    make_series: SeriesMaker, keyword: str, values: Any, name: str
) -> None:
    first, second = voxels(), voxels()
    make_series(first, STRAIGHT, prefix="a", **{keyword: values[0]})
    folder = make_series(second, STRAIGHT, prefix="b", **{keyword: values[1]})
    with pytest.raises(SeriesError, match=rf"1.1 \({name} .*, 4 slices\), 1.2 \({name} .*, 4 slices\)"):
        read_volume(folder)
    np.testing.assert_array_equal(read_volume(folder, series="1.1").voxels, first - 1024)
    np.testing.assert_array_equal(read_volume(folder, series="1.2").voxels, second - 1024)
    for text in ("1", "1.3"):
        with pytest.raises(SeriesError, match=r"choose a sub-volume with --series, such as --series 1.1\.$"):
            read_volume(folder, series=text)


def test_two_headers_together(make_series: SeriesMaker) -> None:
    """Magnitude and phase images of two echoes: four sub-volumes."""
    made = [voxels(3) for _ in range(4)]
    for place, part in enumerate(made):
        folder = make_series(
            part,
            STRAIGHT,
            prefix=f"{place}-",
            EchoTime=str(place // 2 + 1),
            ImageType=["A", "B", "MP"[place % 2]],
        )
    found = [read_volume(folder, series=f"1.{place}").voxels for place in range(1, 5)]
    for part, volume in zip(made, found, strict=True):
        np.testing.assert_array_equal(volume, part - 1024)


def test_times_that_change_from_slice_to_slice_split_nothing(make_series: SeriesMaker) -> None:
    times = [{"AcquisitionTime": f"10150{k}", "AcquisitionNumber": k} for k in range(4)]
    part = voxels()
    folder = make_series(part, STRAIGHT, each=times)
    np.testing.assert_array_equal(read_volume(folder).voxels, part - 1024)


def test_a_short_phase_beside_a_long_one_is_set_aside(make_series: SeriesMaker) -> None:
    part = voxels(9)
    make_series(part, STRAIGHT, prefix="a", AcquisitionNumber=1)
    folder = make_series(voxels(2), STRAIGHT, prefix="b", AcquisitionNumber=2)
    volume = read_volume(folder)
    np.testing.assert_array_equal(volume.voxels, part - 1024)
    assert volume.notes == ("b00.dcm and 1 more set aside: acquisition 2; read it with --series 1.2",)


def test_scouts_are_set_aside(make_series: SeriesMaker) -> None:
    """Two scouts of the size and plane of three slices: told by their image type alone."""
    part = voxels(3)
    make_series(part, STRAIGHT, prefix="a")
    folder = make_series(voxels(2), STRAIGHT, prefix="s", ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    volume = read_volume(folder)
    np.testing.assert_array_equal(volume.voxels, part - 1024)
    assert volume.notes == ("s00.dcm and 1 more set aside: scout; read it with --series 1.2",)


def test_an_exact_copy_of_a_slice_is_set_aside(make_series: SeriesMaker) -> None:
    part = voxels()
    folder = make_series(part, STRAIGHT)
    shutil.copy(folder / "01.dcm", folder / "01 (copy).dcm")
    volume = read_volume(folder)
    np.testing.assert_array_equal(volume.voxels, part - 1024)
    assert volume.notes == ("01.dcm set aside: an exact copy of another slice",)


def test_other_pixels_at_one_place_are_refused(make_series: SeriesMaker) -> None:
    make_series(voxels(), STRAIGHT)
    folder = make_series(voxels(1), STRAIGHT, prefix="other")
    with pytest.raises(
        SeriesError, match=r"two of its slices have the same position, .*and different pixels"
    ):
        read_volume(folder)


def test_a_tilted_gantry_is_reported(make_series: SeriesMaker) -> None:
    tilted = STRAIGHT.copy()
    tilted[1, 2] = 0.7
    folder = make_series(voxels(), tilted)
    volume = read_volume(folder)
    np.testing.assert_allclose(volume.affine_ras_mm, tilted, atol=1e-9)
    assert volume.notes == (
        "the slices are stacked at a slant of 15.6 degrees (gantry tilt); the affine keeps it",
    )


def test_gaps_are_filled_on_request_and_marked(make_series: SeriesMaker) -> None:
    part = voxels(9)
    folder = make_series(part, STRAIGHT)
    for name in ("02", "05", "06"):
        (folder / f"{name}.dcm").unlink()
    with pytest.raises(SeriesError, match=r"2 slices are missing .*or fill the gaps with --fill-gaps"):
        read_volume(folder)
    volume = read_volume(folder, fill_gaps=True)
    assert volume.missing_slices == (2, 5, 6)
    np.testing.assert_allclose(volume.affine_ras_mm, STRAIGHT)
    kept = [0, 1, 3, 4, 7, 8]
    np.testing.assert_array_equal(volume.voxels[:, :, kept], part[:, :, kept] - 1024)
    assert (volume.voxels[:, :, [2, 5, 6]] == volume.voxels[:, :, kept].min()).all()
    assert volume.notes == (
        "3 slices are missing and filled with background, at 2, 5, 6 along axis 2; they get no labels",
    )


def test_a_gap_of_no_whole_slices_is_never_filled(make_series: SeriesMaker) -> None:
    uneven = [{"ImagePositionPatient": [0, 0, height]} for height in (0.0, 2.5, 5.0, 8.7)]
    folder = make_series(voxels(), STRAIGHT, each=uneven)
    with pytest.raises(SeriesError, match=r"not evenly spaced .*resample it to even slices\.$"):
        read_volume(folder, fill_gaps=True)


def test_a_slice_far_away_is_no_gap(make_series: SeriesMaker) -> None:
    far = [{"ImagePositionPatient": [0, 0, height]} for height in (0.0, 2.5, 5.0, 50.0)]
    folder = make_series(voxels(), STRAIGHT, each=far)
    with pytest.raises(SeriesError, match=r"17 of its 21 slices are missing, too many to fill in"):
        read_volume(folder, fill_gaps=True)


def test_a_file_of_the_series_stands_for_its_folder(make_series: SeriesMaker) -> None:
    part = voxels()
    make_series(part, STRAIGHT, prefix="a")
    folder = make_series(voxels(3), STRAIGHT, prefix="b", SeriesInstanceUID="1.2.3.5", SeriesNumber=2)
    volume = read_volume(folder / "a01.dcm")
    np.testing.assert_array_equal(volume.voxels, part - 1024)
    assert volume.path == folder / "a01.dcm"
    assert read_volume(folder / "b00.dcm").shape == (7, 5, 3)


def test_the_slope_of_each_slice_stays_right(make_series: SeriesMaker) -> None:
    """PET rescales every slice by its own maximum."""
    part = voxels()
    slopes = [{"RescaleSlope": slope, "RescaleIntercept": 0} for slope in (1, 0.5, 2, 0.25)]
    folder = make_series(
        part, STRAIGHT, each=slopes, Modality="PT", SOPClassUID="1.2.840.10008.5.1.4.1.1.128"
    )
    np.testing.assert_array_equal(read_volume(folder).voxels, part * np.array([1, 0.5, 2, 0.25], np.float32))
