"""Volumes: values in float32 piece by piece, NaN as background, and no copy of the whole volume."""

import tracemalloc
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import numpy.typing as npt
import pytest
import SimpleITK

from sammed_volumes.errors import AffineError, UnsupportedVolumeError
from sammed_volumes.formats import read_volume
from sammed_volumes.intensity import apply, auto_window, is_constant, is_ct, resolve
from sammed_volumes.labels import LabelVolume
from sammed_volumes.slices import plan_slices
from sammed_volumes.volume import Volume, count_non_finite, three_axes
from tests.volumes.conftest import Save

LARGE = (512, 512, 400)
LARGE_BYTES = 512 * 512 * 400 * 2
SLICE_BYTES = 512 * 512 * 4  # one slice in float32


@pytest.mark.parametrize("dtype", ["u1", "<i2", ">i2", "<u2", "<i4", "<f4", ">f8"])
def test_values_apply_slope_and_intercept_in_float32(dtype: npt.DTypeLike) -> None:
    stored = np.arange(24).astype(dtype).reshape(2, 3, 4)
    volume = Volume(stored, np.eye(4), slope=2.5, intercept=-1024.0)
    values = volume.values(stored[:, :, 1])
    assert values.dtype == np.dtype("=f4")
    np.testing.assert_array_equal(
        values, (np.arange(24).reshape(2, 3, 4)[:, :, 1] * 2.5 - 1024).astype(np.float32)
    )


def test_values_never_share_memory_with_the_file() -> None:
    stored = np.zeros((2, 3, 4), dtype=np.float32)
    volume = Volume(stored, np.eye(4))
    values = volume.values(stored)
    values += 1
    assert not stored.any()


def test_nan_and_infinity_become_the_lowest_finite_value() -> None:
    stored = np.array([[[3.0, np.nan, -7.0], [np.inf, -np.inf, 5.0]]])
    volume = count_non_finite(Volume(stored, np.eye(4), slope=2.0, intercept=1.0))
    assert volume.non_finite_count == 3
    assert volume.background == -13.0
    assert volume.values(stored).tolist() == [[[7.0, -13.0, -13.0], [-13.0, -13.0, 11.0]]]
    assert np.isnan(stored).any(), "the volume itself was written to"


def test_a_volume_of_nan_is_zero() -> None:
    volume = count_non_finite(Volume(np.full((2, 2, 2), np.nan, np.float32), np.eye(4)))
    assert (volume.non_finite_count, volume.background) == (8, 0.0)
    assert is_constant(volume)


@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_without_nan_nothing_is_counted(dtype: npt.DTypeLike) -> None:
    volume = Volume(np.arange(8).astype(dtype).reshape(2, 2, 2), np.eye(4))
    assert count_non_finite(volume).non_finite_count == 0


def test_reading_counts_nan(tmp_path: Path) -> None:
    voxels = np.zeros((3, 5, 7), np.float32)
    voxels[1, 2, 3:5] = np.nan
    voxels[0, 0, 0] = -42
    nibabel.save(nibabel.Nifti1Image(voxels, np.eye(4)), tmp_path / "a.nii.gz")
    volume = read_volume(tmp_path / "a.nii.gz")
    assert (volume.non_finite_count, volume.background) == (2, -42.0)


def test_the_scaling_of_a_nifti_is_kept_separate(tmp_path: Path) -> None:
    header = nibabel.Nifti1Header()
    header.set_data_shape((3, 5, 7))
    header.set_data_dtype(np.int16)
    header.set_slope_inter(2.0, -1000.0)
    stored = np.arange(105, dtype=np.int16).reshape(3, 5, 7)
    content = header.binaryblock + b"\0" * 4 + stored.tobytes(order="F")
    block = bytearray(content)
    block[108:112] = np.float32(352).tobytes()  # where the voxels start
    (tmp_path / "a.nii").write_bytes(block)
    volume = read_volume(tmp_path / "a.nii")
    np.testing.assert_array_equal(volume.voxels, stored)
    assert (volume.slope, volume.intercept) == (2.0, -1000.0)
    assert volume.voxels.dtype == np.int16
    np.testing.assert_array_equal(
        volume.values(volume.voxels), nibabel.Nifti1Image.from_filename(tmp_path / "a.nii").get_fdata()
    )


def test_a_volume_is_frozen() -> None:
    volume = Volume(np.zeros((2, 3, 4)), np.eye(4))
    with pytest.raises(FrozenInstanceError):
        volume.slope = 2.0  # type: ignore[misc]


@pytest.mark.parametrize(
    ("voxels", "fact"),
    [
        pytest.param(np.zeros((2, 3)), "it has 2 dimensions (2 x 3)", id="two axes"),
        pytest.param(np.zeros((2, 3, 4, 5)), "it has 4 dimensions (2 x 3 x 4 x 5)", id="four axes"),
        pytest.param(np.zeros((2, 3, 4, 3), np.uint8), "it has 4 dimensions", id="a color volume"),
        pytest.param(np.zeros((2, 0, 4)), "it contains no voxels", id="empty"),
        pytest.param(np.zeros((2, 3, 4), bool), "not single numbers", id="truth values"),
    ],
)
def test_arrays_that_are_not_volumes_are_refused(voxels: np.ndarray, fact: str) -> None:
    with pytest.raises(UnsupportedVolumeError) as error:
        Volume(voxels, np.eye(4))
    assert fact in str(error.value)


def test_a_singular_affine_is_refused() -> None:
    with pytest.raises(AffineError, match="singular"):
        Volume(np.zeros((2, 3, 4)), np.zeros((4, 4)))


@pytest.mark.parametrize(
    ("shape", "expected"), [((5,), (5, 1, 1)), ((5, 7), (5, 7, 1)), ((5, 7, 3, 1, 1), (5, 7, 3))], ids=str
)
def test_three_axes_is_a_view(shape: tuple[int, ...], expected: tuple[int, int, int]) -> None:
    array = np.zeros(shape, order="F")
    assert three_axes(array).shape == expected
    assert np.shares_memory(three_axes(array), array)


@pytest.fixture
def large_file(tmp_path: Path) -> Path:
    """512 x 512 x 400 int16 in a sparse file: it takes no space on the disk."""
    header = nibabel.Nifti1Header()
    header.set_data_shape(LARGE)
    header.set_data_dtype(np.int16)
    header.set_sform(np.diag([0.7, 0.7, 1.0, 1.0]), 1)
    path = tmp_path / "large.nii"
    with path.open("wb") as file:
        block = bytearray(header.binaryblock + b"\0" * 4)
        block[108:112] = np.float32(352).tobytes()
        file.write(block)
        file.truncate(352 + LARGE_BYTES)
    return path


def mapped(array: Any) -> np.memmap | None:
    """Return the memory map that an array is a view of, or None."""
    while array is not None and not isinstance(array, np.memmap):
        array = array.base
    return array


def peak_bytes(action: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        action()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_large_file_is_mapped_and_not_read(large_file: Path) -> None:
    peak = peak_bytes(lambda: read_volume(large_file))
    volume = read_volume(large_file)
    assert volume.shape == LARGE
    assert volume.voxels.dtype == np.int16
    assert peak < LARGE_BYTES / 100, f"reading took {peak / 1e6:.1f} MB besides the map"
    memory_map = mapped(volume.voxels)
    assert memory_map is not None
    assert memory_map.mode == "r"


def test_a_slice_at_a_time(large_file: Path) -> None:
    """Going through all slices needs no more memory than a few slices in float32."""
    volume = read_volume(large_file)
    stack = plan_slices(volume.shape, volume.affine_ras_mm).to_stack(volume.voxels)

    def walk() -> None:
        for index in range(0, 400, 57):
            assert apply(volume.values(stack[index]), -160.0, 240.0).max() == np.float32(0.4)

    assert peak_bytes(walk) < 8 * SLICE_BYTES


def test_intensity_reads_little_of_a_large_volume(large_file: Path) -> None:
    volume = read_volume(large_file)
    slicing = plan_slices(volume.shape, volume.affine_ras_mm)
    region = np.zeros(slicing.stack_shape, dtype=bool)
    region[200, 200:300, 200:300] = True

    def look() -> None:
        is_ct(volume)
        resolve(auto_window(volume, slicing, region), volume, slicing)

    peak = peak_bytes(look)
    assert peak < 16 * SLICE_BYTES, f"estimating a window took {peak / 1e6:.1f} MB"


@pytest.mark.parametrize("suffix", [".nii.gz", ".mha", ".nrrd"])
def test_a_compressed_file_is_decompressed_as_stored(tmp_path: Path, save: Save, suffix: str) -> None:
    """Compressed formats can't be mapped; reading needs the compressed bytes and the integers, no more."""
    voxels = np.random.default_rng(0).integers(-1000, 1000, (128, 128, 64)).astype(np.int16)
    path = save(Volume(voxels, np.eye(4)), tmp_path / f"a{suffix}")
    read_volume(path)  # loads the libraries
    peak = peak_bytes(lambda: read_volume(path))
    assert read_volume(path).voxels.dtype == np.int16
    assert peak < 2.5 * voxels.nbytes, f"{peak / voxels.nbytes:.1f} times the integers"


@pytest.mark.parametrize("name", ["a.nii", "a.mha", "a.mhd", "a.nrrd"])
def test_an_uncompressed_file_is_mapped(tmp_path: Path, to_itk: Callable[..., Any], name: str) -> None:
    voxels = np.arange(7 * 11 * 5, dtype=np.int16).reshape(7, 11, 5)
    SimpleITK.WriteImage(to_itk(voxels, np.eye(4)), str(tmp_path / name), useCompression=False)
    volume = read_volume(tmp_path / name)
    np.testing.assert_array_equal(volume.voxels, voxels)
    assert isinstance(mapped(volume.voxels), np.memmap)


def test_labels_are_scanned_plane_by_plane() -> None:
    voxels = np.zeros((256, 256, 100), dtype=np.uint8)
    voxels[100:120, 100:120, 40:60] = 3
    labels = LabelVolume(voxels, np.eye(4), ())
    assert peak_bytes(lambda: (labels.is_empty, labels.voxel_counts())) < voxels.nbytes
