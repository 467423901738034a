import itertools
import math

import numpy as np
import pytest
import torch

from sammed.backbones.frame import Frame
from sammed.errors import ConfigError

SIDES = (1, 2, 7, 31, 97, 255, 256, 257, 513, 1023)
SPACINGS_MM = ((1.0, 1.0), (0.7, 0.7), (0.31, 1.9), (5.0, 0.9))  # (row, column)
GRIDS = ((256, 256), (1024, 256), (64, 64))  # SAM pixels, cells of the mask grid


def frames() -> list[Frame]:
    return [
        Frame(height, width, spacing, size, grid, stretch)
        for (height, width), spacing, (size, grid), stretch in itertools.product(
            itertools.product(SIDES, SIDES), SPACINGS_MM, GRIDS, (False, True)
        )
    ]


def corners(frame: Frame) -> np.ndarray:
    x, y = frame.width - 1, frame.height - 1
    return np.array([[0, 0], [x, y], [x / 3, y / 7], [-0.5, y + 0.5]], dtype=np.float64)


def to_slice(frame: Frame, points_xy_sam: np.ndarray) -> np.ndarray:
    """Map points from SAM pixels back to slice pixels, as the corners of boxes without extent."""
    return frame.boxes_to_slice(np.concatenate([points_xy_sam] * 2, axis=-1))[..., :2]


def test_points_and_boxes_come_back_for_every_size_and_spacing() -> None:
    for frame in frames():
        points = corners(frame)
        boxes = np.concatenate([points, points[::-1]], axis=1)
        assert np.abs(to_slice(frame, frame.points_to_sam(points)) - points).max() < 1e-4, frame
        assert np.abs(frame.boxes_to_slice(frame.boxes_to_sam(boxes)) - boxes).max() < 1e-4, frame


def test_tensors_in_single_precision_come_back_as_tensors() -> None:
    frame = Frame(97, 513, (0.7, 0.9), 1024, 256)
    points = torch.from_numpy(corners(frame)).float()
    there = frame.points_to_sam(points)
    assert there.dtype == torch.float32
    back = frame.boxes_to_slice(torch.cat([there, there], dim=-1))
    assert back.dtype == torch.float32
    torch.testing.assert_close(back, torch.cat([points, points], dim=-1), atol=1e-4, rtol=0)


def test_the_slices_edges_are_the_contents_edges() -> None:
    for frame in frames():
        edges = np.array([[-0.5, -0.5], [frame.width - 0.5, frame.height - 0.5]])
        wanted = [[-0.5, -0.5], [frame.content_width - 0.5, frame.content_height - 0.5]]
        np.testing.assert_allclose(frame.points_to_sam(edges), wanted, atol=1e-9)


def test_the_longest_side_in_millimeters_fills_the_square_and_the_other_keeps_proportion() -> None:
    for frame in frames():
        if frame.stretch:
            assert (frame.content_height, frame.content_width) == (frame.size, frame.size)
            continue
        sides_mm = np.array([frame.height, frame.width]) * frame.pixel_spacing_mm
        content = np.array([frame.content_height, frame.content_width])
        cell = frame.size // frame.mask_size
        assert content.max() == frame.size
        assert np.all(content % cell == 0)
        ideal = frame.size * sides_mm / sides_mm.max()
        assert np.all(np.abs(content - ideal) <= np.maximum(cell / 2, cell - ideal) + 1e-9), frame


def test_one_scale_where_pixels_are_square_and_sides_divide() -> None:
    frame = Frame(512, 256, (0.8, 0.8), 256, 256)
    assert frame.scale_xy == (0.5, 0.5)
    # The center of pixel 0 lies half a slice pixel, a quarter of a SAM pixel, from the edge at -0.5.
    np.testing.assert_allclose(frame.points_to_sam(np.array([[0.0, 1.0]])), [[-0.25, 0.25]])


def ramp(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return np.asarray(3 * x - 2 * y + 5, dtype=np.float32)


def assert_same_place(found: np.ndarray, wanted: np.ndarray, margin: int) -> None:
    """Assert that two ramps agree to a tenth of a pixel, and to a hundredth on average.

    The margin does not count, since its pixels have neighbors on one side only. The antialiasing filter takes
    whole samples, so it is off by a few hundredths of a pixel in places.
    """
    off = (found - wanted)[margin:-margin, margin:-margin] / 5
    assert np.abs(off).max() < 0.1
    assert abs(off.mean()) < 0.01


@pytest.mark.parametrize(
    "frame",
    [
        Frame(60, 40, (1.0, 1.0), 256, 256),  # enlarged
        Frame(600, 401, (1.0, 1.0), 256, 256),  # shrunk
        Frame(300, 90, (0.5, 2.0), 256, 256),  # shrunk down, enlarged across
        Frame(300, 90, (1.0, 1.0), 1024, 256, stretch=True),
    ],
    ids=["enlarged", "shrunk", "anisotropic", "stretched"],
)
def test_the_image_lies_where_the_points_lie(frame: Frame) -> None:
    """A linear ramp, resampled at pixel centers, has the ramp's values at the mapped points."""
    image = frame.image_to_sam(ramp(frame.height, frame.width))
    y, x = np.mgrid[: frame.content_height, : frame.content_width]
    points = to_slice(frame, np.stack([x, y], axis=-1).astype(np.float64))
    wanted = 3 * points[..., 0] - 2 * points[..., 1] + 5
    m = 1 + math.ceil(max(frame.scale_xy))  # border pixels have nothing to interpolate with
    content = image[0, : frame.content_height, : frame.content_width].numpy()
    assert_same_place(content, wanted, m)


def test_padding_is_zero_and_a_gray_slice_has_three_equal_channels() -> None:
    image = Frame(50, 100, (1.0, 1.0), 64, 64).image_to_sam(np.ones((50, 100), np.float32))
    assert image.shape == (3, 64, 64)
    torch.testing.assert_close(image[:, :32], torch.ones(3, 32, 64))
    assert torch.all(image[:, 32:] == 0)


def test_color_keeps_its_channels_and_views_with_negative_strides_are_taken() -> None:
    color = np.random.default_rng(0).random((64, 64, 3), dtype=np.float32)
    image = Frame(64, 64, (1.0, 1.0), 64, 64).image_to_sam(color[::-1, ::-1])
    np.testing.assert_array_equal(image.permute(1, 2, 0).numpy(), color[::-1, ::-1])


def test_a_slice_of_another_shape_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"slices of 5 x 6; this one has shape \(6, 5\)"):
        Frame(5, 6, (1.0, 1.0), 64, 64).resize_image(np.zeros((6, 5), np.float32))


@pytest.mark.parametrize(("size", "grid"), GRIDS)
@pytest.mark.parametrize("shape", [(97, 41), (300, 511), (256, 256)], ids=str)
def test_masks_keep_their_area_and_their_center(shape: tuple[int, int], size: int, grid: int) -> None:
    frame = Frame(*shape, (1.3, 0.9), size, grid)
    masks = torch.zeros(2, *shape, dtype=torch.bool)
    masks[0, 10:31, 7:20] = True
    masks[1] = True
    shares = frame.masks_to_mask_grid(masks)
    assert shares.shape == (2, grid, grid)
    assert float(shares.min()) >= 0
    assert float(shares.max()) <= 1 + 1e-6
    cell_pixels = (size // grid) ** 2 / math.prod(frame.scale_xy)  # slice pixels a cell
    areas = shares.sum((1, 2)) * cell_pixels
    torch.testing.assert_close(areas, masks.sum((1, 2)).float(), rtol=1e-4, atol=0)
    cell = size // grid
    y, x = torch.meshgrid(torch.arange(grid), torch.arange(grid), indexing="ij")
    center = torch.stack([(shares[0] * x).sum(), (shares[0] * y).sum()]) / shares[0].sum()
    center_sam = (center + 0.5) * cell - 0.5
    wanted = frame.points_to_sam(torch.tensor([(7 + 19) / 2, (10 + 30) / 2]))
    # A cell's share counts at the cell's center, so the mask's center is exact to a fraction of a cell.
    torch.testing.assert_close(center_sam, wanted, atol=0.1 * cell, rtol=0)


def test_the_embedding_grid_is_the_mask_grid_four_cells_to_one() -> None:
    frame = Frame(97, 41, (1.3, 0.9), 64, 64)
    full = frame.masks_to_embedding(torch.ones(1, 97, 41))
    assert full.shape == (1, 16, 16)
    rows, columns = frame.content_height / 4, frame.content_width / 4
    assert float(full.sum()) == pytest.approx(rows * columns, rel=1e-5)
    assert torch.all(full[:, math.ceil(rows) :] == 0)
    assert torch.all(full[:, :, math.ceil(columns) :] == 0)


@pytest.mark.parametrize("shape", [(97, 41), (40, 30), (300, 511)], ids=str)
@pytest.mark.parametrize(("size", "grid"), GRIDS)
def test_logits_come_back_where_the_points_lie(shape: tuple[int, int], size: int, grid: int) -> None:
    frame = Frame(*shape, (1.3, 0.9), size, grid)
    logits = torch.from_numpy(ramp(grid, grid))[None]
    back = frame.logits_to_slice(logits)
    assert back.shape == (1, *shape)
    y, x = np.mgrid[: shape[0], : shape[1]]
    points_sam = frame.points_to_sam(np.stack([x, y], axis=-1).astype(np.float64))
    cells = (points_sam + 0.5) * grid / size - 0.5
    wanted = 3 * cells[..., 0] - 2 * cells[..., 1] + 5
    m = 2 + math.ceil(max(size / grid / scale for scale in (1.0, *frame.scale_xy)))
    m = max(m, math.ceil(max(1 / (scale * grid / size) for scale in frame.scale_xy)) + 1)
    assert_same_place(back[0].numpy(), wanted, m)


def test_a_mask_survives_the_round_trip_to_the_grid() -> None:
    frame = Frame(128, 96, (1.0, 1.0), 256, 256)
    mask = torch.zeros(1, 128, 96)
    mask[0, 20:90, 30:60] = 1
    back = frame.logits_to_slice(frame.masks_to_mask_grid(mask) - 0.5) > 0
    assert torch.equal(back, mask > 0)


def test_the_padding_never_reaches_the_slice() -> None:
    frame = Frame(64, 32, (1.0, 1.0), 64, 64)
    logits = torch.full((1, 64, 64), 100.0)
    logits[:, :, :32] = -1.0
    assert torch.all(frame.logits_to_slice(logits) == -1)


def test_gradients_flow_through_logits_to_slice() -> None:
    logits = torch.zeros(1, 64, 64, requires_grad=True)
    Frame(33, 20, (1.0, 1.0), 64, 64).logits_to_slice(logits).sum().backward()
    assert logits.grad is not None
    assert float(logits.grad.sum()) == pytest.approx(33 * 20, rel=1e-4)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((0, 5, (1.0, 1.0), 64, 64), "0 x 5 pixels"),
        ((5, 5, (0.0, 1.0), 64, 64), "not positive and finite"),
        ((5, 5, (1.0, math.nan), 64, 64), "not positive and finite"),
        ((5, 5, (1.0, 1.0), 64, 48), "does not divide 64"),
    ],
    ids=["empty", "flat", "nan", "grid"],
)
def test_numbers_that_define_no_frame_are_refused(
    arguments: tuple[int, int, tuple[float, float], int, int], sentence: str
) -> None:
    with pytest.raises(ConfigError, match=sentence):
        Frame(*arguments)
