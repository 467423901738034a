"""A scan: the canonical stack through a window; each slice is encoded once."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
import pytest
import torch

from sammed.backbones.backbone import Backbone
from sammed.embeddings.scan import Scan
from sammed_volumes.intensity import Window
from sammed_volumes.slices import plan_slices
from sammed_volumes.volume import Volume
from tests.conftest import Phantom

AFFINE_LPS_MM = np.diag([-2.0, -2.0, 5.0, 1.0])


OpenScan: TypeAlias = Callable[..., Scan]


@pytest.fixture
def scan_of(tiny_backbone: Backbone) -> OpenScan:
    """`scan_of(volume, window, progress=...)`: a scan of the tiny backbone."""

    def make(volume: Volume, window: Window | None = None, **settings: Any) -> Scan:
        slicing = plan_slices(volume.shape, volume.affine_ras_mm)
        return Scan(volume, slicing, window or Window(-200.0, 300.0, "hu"), tiny_backbone, **settings)

    return make


def test_images_are_the_values_of_the_stack_through_the_window(scan_of: OpenScan) -> None:
    stored = np.arange(7 * 5 * 3, dtype=np.int16).reshape(7, 5, 3)
    scan = scan_of(Volume(stored, AFFINE_LPS_MM, slope=2.0, intercept=-10.0), Window(0.0, 100.0, "value"))
    values = stored[:, :, 1].T * 2.0 - 10.0  # rows run to posterior, columns to the left, as the array does
    np.testing.assert_array_equal(scan.values(1), values)
    image = scan.image(1)
    assert image.dtype == np.float32
    np.testing.assert_allclose(image, np.clip(values / 100, 0, 1), atol=1e-6)


def test_percentiles_are_those_of_this_volume(scan_of: OpenScan, phantom: Callable[..., Phantom]) -> None:
    volume = phantom(modality="mr").volume
    scans = [
        scan_of(replace(volume, voxels=volume.voxels * factor), Window(1.0, 99.0, "percentile"))
        for factor in (1, 3)
    ]
    assert scans[1].high == pytest.approx(3 * scans[0].high)
    np.testing.assert_allclose(scans[0].image(6), scans[1].image(6), atol=1e-5)


def test_a_color_picture_keeps_its_channels(scan_of: OpenScan) -> None:
    stored = np.random.default_rng(0).integers(0, 256, (9, 6, 1, 3), dtype=np.uint8)
    scan = scan_of(Volume(stored, np.eye(4)), Window(0.0, 255.0, "value"))
    assert scan.image(0).shape == (*scan.slicing.stack_shape[1:], 3)


@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 0, 1), (1, 2, 0), (0, 2, 1)])
@pytest.mark.parametrize("flips", [(), (0,), (1, 2), (0, 1, 2)])
def test_one_anatomy_gives_one_stack_and_one_digest(
    scan_of: OpenScan, axes: tuple[int, int, int], flips: tuple[int, ...], phantom: Callable[..., Phantom]
) -> None:
    volume = phantom().volume
    turned = _turn(volume, axes, flips)
    straight, other = scan_of(volume), scan_of(turned)
    assert other.slicing.stack_shape == straight.slicing.stack_shape
    for index in range(straight.slicing.count):
        np.testing.assert_array_equal(other.image(index), straight.image(index))
    assert other.digest == straight.digest


@pytest.mark.parametrize("dtype", ["<i2", ">i2"])
def test_the_digest_is_that_of_skills_learned_before(scan_of: OpenScan, dtype: str) -> None:
    """Skills name the volume that they were learned from by this number."""
    stored = np.arange(7 * 5 * 3).reshape(7, 5, 3).astype(dtype)
    digest = scan_of(Volume(stored, AFFINE_LPS_MM)).digest
    assert digest.startswith("8a4bba0db5344992")


def test_a_single_voxel_changes_the_digest(scan_of: OpenScan, phantom: Callable[..., Phantom]) -> None:
    volume = phantom().volume
    voxels = volume.voxels.copy()
    voxels[3, 4, 5] += 1
    assert scan_of(replace(volume, voxels=voxels)).digest != scan_of(volume).digest


def test_each_slice_is_encoded_once_and_only_when_asked_for(
    scan_of: OpenScan, phantom: Callable[..., Phantom], tiny_backbone: Backbone
) -> None:
    encoded: list[int] = []
    scan = scan_of(phantom().volume, progress=encoded.append)
    assert encoded == []
    scan.embeddings([4, 2, 4])
    assert len(encoded) == 2
    scan.embeddings([2, 3])
    assert len(encoded) == 3


def test_embeddings_come_in_the_order_asked_for(
    scan_of: OpenScan, phantom: Callable[..., Phantom], tiny_backbone: Backbone
) -> None:
    scan = scan_of(phantom().volume)
    found = scan.embeddings([5, 2, 5])
    assert found.shape == (3, 256, 16, 16)
    assert found.dtype == torch.float32
    assert torch.equal(found[0], found[2])
    assert torch.equal(found[1], scan.embeddings([2])[0])


def test_embeddings_are_those_of_the_image_in_its_frame(
    scan_of: OpenScan, phantom: Callable[..., Phantom], tiny_backbone: Backbone
) -> None:
    scan = scan_of(phantom().volume)
    pixels = tiny_backbone.prepare(scan.image(6), scan.frame)
    expected = tiny_backbone.encode(pixels[None])
    torch.testing.assert_close(scan.embeddings([6]), expected, atol=2e-3, rtol=2e-3)  # kept as float16


def test_the_frame_shows_pixels_in_their_true_proportion(scan_of: OpenScan, tiny_backbone: Backbone) -> None:
    volume = Volume(np.zeros((20, 30, 4), dtype=np.int16), np.diag([-3.0, -1.0, 9.0, 1.0]))
    frame = scan_of(volume).frame
    assert (frame.height, frame.width) == (30, 20)
    assert (frame.content_height, frame.content_width) == (32, 64)  # 30 x 60 mm


def _turn(volume: Volume, axes: tuple[int, int, int], flips: tuple[int, ...]) -> Volume:
    """The same anatomy with the array's axes permuted and some of them flipped."""
    voxels = volume.voxels.transpose(axes)
    affine = volume.affine_ras_mm.copy()
    affine[:, :3] = affine[:, list(axes)]
    for axis in flips:
        voxels = np.flip(voxels, axis)
        affine[:3, 3] += affine[:3, axis] * (voxels.shape[axis] - 1)
        affine[:3, axis] *= -1
    return Volume(np.ascontiguousarray(voxels), affine)
