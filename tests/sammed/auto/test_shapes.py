"""Shapes between annotated slices: phantoms whose slices in between are known."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from sammed.annotations.annotations import Annotations
from sammed.auto.fusion import LARGEST_LOGIT
from sammed.auto.label_choice import USUAL_BORDER_UNCERTAINTY, LabelChoice
from sammed.auto.labeling import label_stack
from sammed.auto.shapes import BORDER_UNCERTAINTIES, Shapes, annotated_shapes, fit_border_uncertainty
from sammed.backbones.backbone import Backbone
from sammed.backbones.frame import Frame
from sammed.embeddings.scan import Scan
from sammed.metrics.evaluation import dice
from sammed_volumes.labels import default_label

LABEL = default_label(1)
FRAME = Frame(61, 53, (1.0, 1.0), size=64, mask_size=64)


def cone(slices: int = 17) -> np.ndarray:
    """A disc that grows from a radius of 6 to one of 22 pixels, and walks a little."""
    rows, columns = np.ogrid[:61, :53]
    return np.stack([np.hypot(rows - 30 + z / 4, columns - 26) < 6 + z for z in range(slices)])


def annotated(truth: np.ndarray, indices: tuple[int, ...]) -> Annotations:
    return Annotations(indices, truth[list(indices)].astype(np.uint8), (LABEL,))


def shapes_of(truth: np.ndarray, indices: tuple[int, ...], spacing_mm: float = 1.0) -> Shapes:
    return annotated_shapes(annotated(truth, indices), LABEL, FRAME, spacing_mm)


def found(shapes: Shapes, indices: range | tuple[int, ...]) -> np.ndarray:
    return (FRAME.logits_to_slice(shapes.logits(list(indices), USUAL_BORDER_UNCERTAINTY)) > 0).numpy()


def test_between_two_slices_a_cone_is_found_again() -> None:
    truth = cone()
    between = range(1, 16)
    assert dice(found(shapes_of(truth, (0, 16)), between), truth[1:16]) > 0.95


def test_pixels_that_are_not_square_are_distances_in_mm() -> None:
    """The same cone, each row of it twice: what is between is the same, row by row."""
    truth = cone()
    tall = np.repeat(truth, 2, axis=1)
    frame = Frame(122, 53, (0.5, 1.0), size=64, mask_size=64)
    shapes = annotated_shapes(annotated(tall, (0, 16)), LABEL, frame, 1.0)
    between = (frame.logits_to_slice(shapes.logits([8], USUAL_BORDER_UNCERTAINTY)) > 0).numpy()
    assert dice(between, tall[8:9]) > 0.95


def test_annotated_slices_are_sure_and_uncertainty_grows_with_the_distance() -> None:
    truth = cone()
    logits = shapes_of(truth, (0, 16), spacing_mm=4.0).logits(range(9), USUAL_BORDER_UNCERTAINTY)
    assert logits.abs().max() == LARGEST_LOGIT
    middle = logits[1:, 30, 26]
    radii = torch.arange(7.0, 15.0)  # with certain borders the middle would be surer in every slice
    assert (middle > 0).all()
    sureness = middle / radii
    assert (sureness.diff() < 0).all()


@pytest.mark.parametrize("indices", [(4, 12), (12, 4)])
def test_towards_an_empty_slice_the_object_ends_half_way(indices: tuple[int, int]) -> None:
    truth = cone()
    shown, empty = indices
    truth[empty] = False
    shapes = shapes_of(truth, (4, 12))
    step = 1 if empty > shown else -1
    areas = found(shapes, tuple(range(shown, empty + step, step))).sum((1, 2))
    assert (np.diff(areas) <= 0).all()
    assert areas[3] > 0
    assert not areas[5:].any()


def test_beyond_the_last_slice_the_shape_continues_with_growing_uncertainty() -> None:
    truth = cone()
    logits = shapes_of(truth, (4, 8), spacing_mm=3.0).logits([8, 9, 12, 16], USUAL_BORDER_UNCERTAINTY)
    np.testing.assert_array_equal(found(shapes_of(truth, (4, 8)), (16,))[0], truth[8])
    peaks = logits.flatten(1).max(1).values
    assert peaks[0] == LARGEST_LOGIT
    assert (peaks.diff() <= 0).all()
    assert peaks[-1] < 1


def test_between_empty_slices_a_sure_generator_prevails() -> None:
    """Two empty slices far apart say little about the slices between them."""
    truth = cone(25)
    truth[12:] = False
    logits = shapes_of(truth, (2, 13, 23), spacing_mm=5.0).logits([14, 18], USUAL_BORDER_UNCERTAINTY)
    assert (logits < 0).all()
    assert logits[1].max() > -1


def test_a_label_that_fills_the_slice_is_deep_everywhere() -> None:
    truth = np.ones((3, 61, 53), dtype=bool)
    assert found(shapes_of(truth, (0,)), (0, 1, 2)).all()


def silent(count: int) -> torch.Tensor:
    """Coarse logits of a generator that knows nothing."""
    return torch.zeros(count, 64, 64)


def test_what_goes_straight_on_is_less_uncertain_than_what_jumps() -> None:
    """A cone is where its neighbors predict it; a disc that jumps back and forth is not."""
    steady = shapes_of(cone(), (0, 4, 8, 12, 16))
    rows, columns = np.ogrid[:61, :53]
    jumping = np.stack([np.hypot(rows - 30, columns - 26 - 9 * (z % 8 == 0)) < 9 for z in range(17)])
    restless = shapes_of(jumping, (0, 4, 8, 12, 16))
    middle = [1, 2, 3]
    assert fit_border_uncertainty(steady, silent(3), middle) == BORDER_UNCERTAINTIES[0]
    assert fit_border_uncertainty(restless, silent(3), middle) > 4 * BORDER_UNCERTAINTIES[0]


def test_a_generator_that_is_right_makes_shapes_less_certain() -> None:
    rows, columns = np.ogrid[:61, :53]
    jumping = np.stack([np.hypot(rows - 30, columns - 26 - 9 * (z % 8 == 0)) < 9 for z in range(17)])
    shapes = shapes_of(jumping, (0, 4, 8, 12, 16))
    right = torch.stack([shapes.logits([index], 1.0)[0] for index in (4, 8, 12)])
    assert fit_border_uncertainty(shapes, right, [1, 2, 3]) > fit_border_uncertainty(
        shapes, silent(3), [1, 2, 3]
    )


class Blind:
    """A generator that sees nothing anywhere, but is not sure of it."""

    def coarse(self, embeddings: torch.Tensor) -> torch.Tensor:
        return torch.full((len(embeddings), 1, *embeddings.shape[-2:]), -0.5)


def test_annotated_shapes_lead_a_blind_generator(
    encode: Callable[..., Scan], brightness_backbone: Backbone
) -> None:
    rows, columns = np.ogrid[:64, :64]
    truth = np.stack([np.hypot(rows - 32, columns - 30) < 10 + z for z in range(9)])
    scan = encode(np.where(truth, 0.9, 0.1), brightness_backbone)
    choices, encoders = {1: LabelChoice()}, {1: brightness_backbone.prompt_encoder}
    without = label_stack(scan, Blind(), encoders, choices, (LABEL,))
    guided = label_stack(scan, Blind(), encoders, choices, (LABEL,), annotations=annotated(truth, (0, 8)))
    assert not without.stack.any()
    assert dice(guided.stack == 1, truth) > 0.95
