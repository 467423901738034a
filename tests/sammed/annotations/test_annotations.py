"""Annotated slices: what they show, what is left without some of them, and what is rejected."""

import numpy as np
import pytest
import torch

from sammed.annotations.annotations import Annotations
from sammed.errors import AnnotationError
from sammed_volumes.labels import default_label

LIVER, SPLEEN = default_label(1), default_label(4)


def annotations() -> Annotations:
    """Slices 3, 7, 8, 20: liver and spleen, nothing, liver in two pieces, spleen."""
    masks = np.zeros((4, 9, 11), dtype=np.uint8)
    masks[0, :3, :3] = 1
    masks[0, 5:, 5:] = 4
    masks[2, :2, :2] = 1
    masks[2, 2, 2] = 1  # touches at a corner: still one piece
    masks[2, 6:, :2] = 1
    masks[3, 0, 10] = 4
    return Annotations((3, 7, 8, 20), masks, (LIVER, SPLEEN))


def test_mask_is_where_the_label_is() -> None:
    assert annotations().mask(LIVER).sum(axis=(1, 2)).tolist() == [9, 0, 11, 0]
    assert annotations().mask(SPLEEN).sum(axis=(1, 2)).tolist() == [24, 0, 0, 1]


def test_tensor_holds_all_labels_in_their_order() -> None:
    found = annotations().tensor()
    assert found.dtype == torch.bool
    assert found.shape == (2, 4, 9, 11)
    assert found.sum((2, 3)).tolist() == [[9, 0, 11, 0], [24, 0, 0, 1]]


def test_rows_that_show_a_label_and_any_label() -> None:
    assert annotations().showing(LIVER) == (0, 2)
    assert annotations().showing(SPLEEN) == (0, 3)
    assert annotations().foreground == (0, 2, 3)


def test_components_are_the_most_on_any_slice() -> None:
    assert annotations().components(LIVER) == 2
    assert annotations().components(SPLEEN) == 1


def test_fragments_are_no_components() -> None:
    """A piece below a twentieth of the largest one on its slice is a slip of the pen."""
    masks = np.zeros((1, 30, 30), dtype=np.uint8)
    masks[0, :10, :10] = 1  # 100 pixels
    masks[0, 20, :4] = 1  # a fragment
    masks[0, 25, :5] = 1  # just none
    assert Annotations((0,), masks, (LIVER,)).components(LIVER) == 2


def test_pieces_over_one_another_are_one_object() -> None:
    """A liver's two lobes meet in the next annotated slice; two kidneys never do."""
    masks = np.zeros((3, 30, 30), dtype=np.uint8)
    masks[0, 2:8, 2:8] = masks[0, 2:8, 20:26] = masks[1, 2:8, 2:26] = 1
    masks[:2, 15:25, 2:8] = masks[:2, 15:25, 20:26] = 4
    found = Annotations((0, 5, 9), masks, (LIVER, SPLEEN))
    assert (found.components(LIVER), found.objects(LIVER)) == (2, 1)
    assert (found.components(SPLEEN), found.objects(SPLEEN)) == (2, 2)


def test_what_runs_aslant_is_no_more_objects_than_a_slice_shows() -> None:
    masks = np.zeros((3, 30, 30), dtype=np.uint8)
    for row in range(3):
        masks[row, 4:8, 10 * row : 10 * row + 4] = 1
    assert Annotations((0, 5, 9), masks, (LIVER,)).objects(LIVER) == 1


def test_without_keeps_the_others_as_they_are() -> None:
    kept = annotations().without((0,))
    assert kept.indices == (7, 8, 20)
    assert kept.labels == (LIVER, SPLEEN)
    np.testing.assert_array_equal(kept.masks, annotations().masks[1:])


def test_without_drops_a_label_that_no_slice_shows_any_more() -> None:
    kept = annotations().without((0, 3))
    assert kept.indices == (7, 8)
    assert kept.labels == (LIVER,)


def test_a_label_that_was_not_asked_for_is_no_foreground() -> None:
    given = annotations()
    liver_only = Annotations(given.indices, given.masks, (LIVER,))
    assert liver_only.foreground == (0, 2)


def test_rejects_a_label_that_no_slice_shows() -> None:
    with pytest.raises(AnnotationError, match=r"shows the label 'label_9' \(9\)"):
        Annotations((0,), np.ones((1, 3, 3), dtype=np.uint8), (default_label(9),))


@pytest.mark.parametrize(
    "indices", [(3, 2), (2, 2), (2,), (1, 2, 3)], ids=["descending", "twice", "too few", "too many"]
)
def test_rejects_indices_that_do_not_fit_the_masks(indices: tuple[int, ...]) -> None:
    with pytest.raises(AnnotationError, match="one mask each, in ascending order"):
        Annotations(indices, np.ones((2, 3, 3), dtype=np.uint8), (LIVER,))
