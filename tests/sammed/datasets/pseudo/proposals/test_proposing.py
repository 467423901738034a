"""Proposals: Meta's grid of points, and grids of boxes."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from sammed.backbones.backbone import Backbone
from sammed.backbones.registry import BACKBONES, PixelPreparation
from sammed.datasets.pseudo.proposals.box_sizes import BoxSize, general_sizes, lay_grid, sizes_of_labels
from sammed.datasets.pseudo.proposals.config import ProposalConfig
from sammed.datasets.pseudo.proposals.grid_boxes import boxes_around, keep_best, suppress
from sammed.datasets.pseudo.proposals.proposing import check_source, propose, source_of
from sammed.errors import ConfigError

from ..conftest import SHAPE, disc

BOXES = ProposalConfig(source="boxes", least_pixels=4)
SPACING = (1.0, 1.0)


def picture(*discs: tuple[np.ndarray, float]) -> np.ndarray:
    """A dark picture H W 1 with discs of some brightness."""
    image = np.full(SHAPE, 0.2, dtype=np.float32)
    for mask, brightness in discs:
        image[mask] = brightness
    return image[:, :, None]


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / (one | other).sum())


def test_a_grid_of_boxes_finds_every_object(brightness_backbone: Backbone) -> None:
    left, right = disc((13, 14), 8), disc((36, 27), 6)
    found = propose(brightness_backbone, picture((left, 0.9), (right, 0.55)), SPACING, BOXES)
    best = [max(overlap(found.mask(k), truth) for k in range(found.count)) for truth in (left, right)]
    assert min(best) > 0.85


def test_masks_that_are_much_the_same_come_once(brightness_backbone: Backbone) -> None:
    found = propose(brightness_backbone, picture((disc((24, 20), 9), 0.9)), SPACING, BOXES)
    masks = [found.mask(k) for k in range(found.count)]
    pairs = [overlap(one, other) for i, one in enumerate(masks) for other in masks[:i]]
    assert 1 <= found.count <= 4
    assert all(pair <= BOXES.mask_overlap + 0.05 for pair in pairs)


def test_the_same_picture_gets_the_same_proposals(brightness_backbone: Backbone) -> None:
    image = picture((disc((13, 14), 8), 0.9), (disc((36, 27), 6), 0.55))
    one, other = (propose(brightness_backbone, image, SPACING, BOXES) for _ in range(2))
    assert np.array_equal(one.packed, other.packed)


@pytest.mark.parametrize("source", ["boxes", "points"])
def test_small_masks_are_no_proposals(tiny_backbone: Backbone, source: Any) -> None:
    config = ProposalConfig(
        source=source, points_per_side=3, most_boxes=9, predicted_iou=0.0, stability=0.0, least_pixels=1
    )
    image = picture((disc((24, 20)), 0.9))
    assert propose(tiny_backbone, image, SPACING, config).count >= 1
    assert propose(tiny_backbone, image, SPACING, replace(config, least_pixels=10_000)).count == 0


@pytest.mark.parametrize("source", ["boxes", "points"])
def test_where_no_mask_is_good_enough_there_is_no_proposal(tiny_backbone: Backbone, source: Any) -> None:
    config = ProposalConfig(
        source=source,
        points_per_side=3,
        most_boxes=9,
        predicted_iou=0.999,
        stability=0.99,
        stability_offset=9.0,
    )
    assert propose(tiny_backbone, picture((disc((24, 20)), 0.9)), SPACING, config).count == 0


def test_points_go_through_metas_generator(tiny_backbone: Backbone) -> None:
    """Its masks come out on the picture's grid, in color and in gray, without a threshold all of them."""
    config = ProposalConfig(
        source="points",
        points_per_side=2,
        predicted_iou=0.0,
        stability=0.0,
        most_overlap=0.99,
        least_pixels=1,
    )
    image = picture((disc((24, 20)), 0.9))
    gray = propose(tiny_backbone, image, SPACING, config)
    colored = propose(tiny_backbone, np.repeat(image, 3, axis=2), SPACING, config)
    assert (gray.height, gray.width) == SHAPE
    assert gray.count >= 1
    assert np.array_equal(gray.packed, colored.packed)


def test_the_generator_sees_what_the_backbone_sees(tiny_backbone: Backbone) -> None:
    """The same prepared pixels, whichever way: `Backbone.prepare`, or Meta's predictor with our numbers."""
    from segment_anything import SamPredictor

    from sammed.datasets.pseudo.proposals.point_grid import as_sam

    pixels = PixelPreparation(mean=(0.4, 0.5, 0.6), std=(0.2, 0.25, 0.3))
    backbone = replace(tiny_backbone, preparation=pixels)
    square = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)  # nothing to resize
    predictor = SamPredictor(as_sam(backbone))
    predictor.set_image(square)
    image = square.astype(np.float32) / np.float32(255)
    ours = backbone.encode(backbone.prepare(image, backbone.frame(64, 64, SPACING))[None])
    torch.testing.assert_close(predictor.get_image_embedding(), ours, rtol=1e-4, atol=1e-5)


def test_what_a_backbone_is_asked_with(tiny_backbone: Backbone) -> None:
    assert {name: spec.prompts for name, spec in BACKBONES.items()} == {
        "lite-medsam": "boxes",
        "sam-vit-b": "points",
        "sam-vit-l": "points",
        "sam-vit-h": "points",
        "medsam-vit-b": "boxes",
    }
    assert source_of(replace(tiny_backbone, name="lite-medsam"), ProposalConfig()) == "boxes"
    assert source_of(replace(tiny_backbone, name="sam-vit-b"), ProposalConfig()) == "points"
    assert source_of(replace(tiny_backbone, name="sam-vit-b"), ProposalConfig(source="boxes")) == "boxes"


def test_points_can_not_prepare_medsams_pixels(tiny_backbone: Backbone) -> None:
    stretched = replace(tiny_backbone, preparation=PixelPreparation(min_max=True, stretch=True))
    with pytest.raises(ConfigError, match="use boxes as the source of proposals"):
        check_source(stretched, ProposalConfig(source="points"))
    check_source(stretched, BOXES)


def test_unsteady_masks_and_repetitions_go() -> None:
    steady = torch.full((8, 8), -5.0)
    steady[2:6, 2:6] = 5.0
    unsteady = torch.full((8, 8), -0.5)  # all of it lies within the offset of the threshold
    unsteady[0, 0] = 0.5
    empty = torch.full((8, 8), -5.0)
    repeated = steady.clone()
    repeated[6, 2] = 0.2
    kept = keep_best(torch.stack([unsteady, repeated, empty, steady]), ProposalConfig())
    assert torch.equal(kept, steady[None])


def test_suppression_compares_with_what_is_kept_only() -> None:
    """B is too near to A, C to B but not to A: C stays."""
    masks = torch.zeros(3, 1, 12, dtype=torch.bool)
    masks[0, 0, 0:6] = masks[1, 0, 2:8] = masks[2, 0, 4:10] = True
    assert suppress(masks, 0.4).tolist() == [0, 2]


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (2.0, 1.0)])
def test_the_box_round_a_mask_is_that_of_its_pixels(brightness_backbone: Backbone, spacing: Any) -> None:
    frame = brightness_backbone.frame(*SHAPE, spacing)
    mask = np.zeros(SHAPE, dtype=bool)
    mask[10:30, 12:36] = True
    logits = frame.masks_to_mask_grid(torch.from_numpy(mask)[None]) - 0.5
    (box,) = boxes_around(logits, frame)
    assert np.abs(box - (12, 10, 35, 29)).max() <= 1
    (wider,) = boxes_around(logits, frame, margin=0.1)
    assert np.allclose(wider - box, (-2.4, -2, 2.4, 2), atol=0.3)


def test_sizes_and_places_are_those_of_the_gold_objects() -> None:
    small, large = np.zeros((100, 200), dtype=np.uint8), np.zeros((100, 200), dtype=np.uint8)
    small[20:30, 40:80] = 2  # 40 wide, 10 high, middle at (60, 25)
    large[50:90, 100:140] = 2
    config = ProposalConfig(sizes=2, box_margin=0.5, place_margin=0.1)
    first, second = sizes_of_labels([small, large], config)
    assert (first.width, first.height) == pytest.approx((0.3, 0.15))
    assert (second.width, second.height) == pytest.approx((0.3, 0.6))
    assert first.x == second.x == pytest.approx((60 / 200 - 0.1, 120 / 200 + 0.1))
    assert first.y == pytest.approx((25 / 100 - 0.1, 70 / 100 + 0.1))
    assert sizes_of_labels([np.zeros((9, 9), dtype=np.uint8)], config) == ()


@pytest.mark.parametrize("shape", [(64, 64), (40, 120), (7, 300)])
@pytest.mark.parametrize("most", [5, 40, 400])
def test_a_grid_stays_in_the_picture_and_below_its_number(shape: tuple[int, int], most: int) -> None:
    config = ProposalConfig(most_boxes=most)
    boxes = lay_grid(general_sizes(*shape, config), *shape, config)
    assert 1 <= len(boxes) <= most
    assert boxes.min() >= 0
    assert (boxes[:, 2] <= shape[1] - 1 + 1e-9).all()
    assert (boxes[:, 3] <= shape[0] - 1 + 1e-9).all()
    assert (boxes[:, 2:] > boxes[:, :2]).all()


def test_a_grid_covers_the_picture_to_its_edges() -> None:
    boxes = lay_grid([BoxSize(0.3, 0.2)], 50, 80, ProposalConfig())
    assert boxes[:, :2].min(axis=0).tolist() == [0, 0]
    assert boxes[:, 2:].max(axis=0) == pytest.approx((79, 49))
    covered = np.zeros((50, 80), dtype=bool)
    for x0, y0, x1, y1 in boxes.round().astype(int):
        covered[y0 : y1 + 1, x0 : x1 + 1] = True
    assert covered.all()


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"source": "masks"}, "one of auto, points, boxes"),
        ({"stability": 1.0}, "stability is 1.0"),
        ({"most": 0}, "most is 0"),
        ({"sides": ()}, "sides are"),
        ({"aspects": (0.0,)}, "aspects are"),
        ({"box_margin": -0.1}, "box_margin -0.1"),
        ({"refinements": -1}, "refinements is -1"),
    ],
)
def test_impossible_settings(settings: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        ProposalConfig(**settings)
    assert ProposalConfig().most_overlap == ProposalConfig().stability == 0.5, "the paper's"
