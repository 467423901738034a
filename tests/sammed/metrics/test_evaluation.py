"""Metrics against masks whose distances are known by construction, and against identities."""

import json
import math
import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import astuple, replace
from typing import Any, TypeAlias

import numpy as np
import pytest
import torch
from scipy import ndimage

from sammed.errors import ConfigError
from sammed.metrics.evaluation import Evaluation, Scores, dice, evaluate
from sammed.metrics.surface import hd95_mm, nsd
from sammed_volumes.errors import GeometryMismatchError, LabelError, VolumeError
from sammed_volumes.labels import Label, LabelVolume, default_label
from tests.conftest import Phantom

SHAPE = (23, 19, 17)
SPACING_MM = (1.0, 2.0, 5.0)


Corner: TypeAlias = Sequence[int] | np.ndarray
Box: TypeAlias = tuple[int, Corner, Corner]


def volume(
    *boxes: Box,
    labels: tuple[Label, ...] | None = None,
    shape: tuple[int, int, int] = SHAPE,
    spacing_mm: tuple[float, ...] = SPACING_MM,
    origin: Sequence[float] = (0, 0, 0),
) -> LabelVolume:
    """Boxes (value, lowest corner, highest corner) in one label volume."""
    voxels = np.zeros(shape, dtype=np.uint8)
    for value, low, high in boxes:
        voxels[tuple(slice(*ends) for ends in zip(low, high, strict=True))] = value
    affine = np.diag([*spacing_mm, 1.0])
    affine[:3, 3] = origin
    if labels is None:
        labels = tuple(default_label(value) for value in sorted({box[0] for box in boxes}))
    return LabelVolume(voxels, affine, labels)


def cube(shift: Sequence[int] = (0, 0, 0), value: int = 1, **rest: Any) -> LabelVolume:
    low = np.add((5, 5, 4), shift)
    return volume((value, low, low + 8), **rest)


def only(evaluation: Evaluation) -> Scores:
    (label,) = evaluation.labels
    return label.scores


@pytest.mark.parametrize(
    ("axis", "steps", "distance_mm"),
    [(0, 2, 2.0), (1, 2, 4.0), (2, 2, 10.0), (0, 1, 1.0), (2, 1, 5.0)],
    ids=["x by 2 mm", "y by 4 mm", "z by 10 mm", "x by 1 mm", "z by 5 mm"],
)
def test_shifted_cube_is_as_far_off_as_it_was_shifted(axis: int, steps: int, distance_mm: float) -> None:
    shift = [0, 0, 0]
    shift[axis] = steps
    just_enough = only(evaluate(cube(shift), cube(), tolerance_mm=distance_mm))
    too_little = only(evaluate(cube(shift), cube(), tolerance_mm=distance_mm - 0.1))
    assert just_enough.hd95_mm == pytest.approx(distance_mm)
    assert just_enough.dice == pytest.approx((8 - steps) / 8)
    assert just_enough.iou == pytest.approx((8 - steps) / (8 + steps))
    assert just_enough.nsd == pytest.approx(1.0)
    assert too_little.nsd < 0.9


def test_surface_dice_weighs_area_in_square_millimeters() -> None:
    # A slab of 40 x 40 x 15 mm, and one that is a slice of 5 mm thicker. Out of tolerance are the two upper
    # faces, 1600 mm2 each, and the upper side of the thicker slab, at most 160 mm x 5 mm. Counted in
    # voxels, of which the sides have a fifth as many as square millimeters, the share would be 0.44.
    grid: dict[str, Any] = {"shape": (44, 44, 9), "spacing_mm": (1.0, 1.0, 5.0)}
    thin = volume((1, (2, 2, 2), (42, 42, 5)), **grid)
    thick = volume((1, (2, 2, 2), (42, 42, 6)), **grid)
    whole_area = (2 * 1600 + 160 * 15) + (2 * 1600 + 160 * 20)
    share = 1 - only(evaluate(thick, thin, tolerance_mm=1.0)).nsd
    assert 2 * 1600 / whole_area < share < (2 * 1600 + 160 * 5) / whole_area


def test_scores_are_symmetric() -> None:
    one, other = cube((1, 2, 1)), cube()
    forth, back = only(evaluate(one, other)), only(evaluate(other, one))
    assert forth.dice == back.dice
    assert forth.iou == back.iou
    assert forth.hd95_mm == pytest.approx(back.hd95_mm)
    assert forth.nsd == pytest.approx(back.nsd)


def test_distances_scale_with_the_spacing_and_overlap_does_not() -> None:
    fine = only(evaluate(cube((2, 1, 0)), cube(), tolerance_mm=1.0))
    twice: dict[str, Any] = {"spacing_mm": tuple(2 * length for length in SPACING_MM)}
    coarse = only(evaluate(cube((2, 1, 0), **twice), cube(**twice), tolerance_mm=2.0))
    assert coarse.hd95_mm == pytest.approx(2 * fine.hd95_mm)
    assert coarse.nsd == pytest.approx(fine.nsd)
    assert coarse.dice == fine.dice


def test_the_rest_of_the_field_of_view_changes_nothing() -> None:
    small = only(evaluate(cube((1, 0, 1)), cube()))
    wide: dict[str, Any] = {"shape": (61, 53, 41)}
    large = only(evaluate(cube((1, 0, 1), **wide), cube(**wide)))
    assert large == small


def test_equal_volumes_score_full_marks(phantom: Callable[..., Phantom]) -> None:
    labels = phantom().labels
    evaluation = evaluate(labels, labels)
    assert [label.name for label in evaluation.labels] == ["lung", "heart", "tumour"]
    for label in evaluation.labels:
        assert (label.scores.dice, label.scores.iou, label.scores.hd95_mm, label.scores.nsd) == (1, 1, 0, 1)


def test_masks_at_the_border_of_the_volume_are_measured_like_others() -> None:
    inside = only(evaluate(volume((1, (4, 4, 4), (9, 9, 9))), volume((1, (5, 4, 4), (10, 9, 9)))))
    border = only(evaluate(volume((1, (0, 0, 0), (5, 5, 5))), volume((1, (1, 0, 0), (6, 5, 5)))))
    assert border.hd95_mm == pytest.approx(inside.hd95_mm)
    assert border.nsd == pytest.approx(inside.nsd)


def test_a_single_slice_is_measured_in_its_plane() -> None:
    # In 3-D every pixel of a single slice would be surface, and its inside would pull HD95 down to 0.
    flat: dict[str, Any] = {"shape": (41, 37, 1), "spacing_mm": (1.0, 3.0, 10.0)}
    reference = volume((1, (5, 5, 0), (35, 30, 1)), **flat)
    prediction = volume((1, (5, 5, 0), (35, 27, 1)), **flat)  # three rows of 3 mm are missing at one edge
    scores = only(evaluate(prediction, reference, tolerance_mm=1.0))
    assert scores.hd95_mm == pytest.approx(9.0)
    # Outlines: 30 x 75 mm and 30 x 66 mm. Off are the two lower edges and 9 mm of two sides.
    assert scores.nsd == pytest.approx(1 - (2 * 30 + 2 * 9) / (210 + 192), abs=0.02)


def test_both_empty_is_right_and_one_empty_is_wrong() -> None:
    label = (Label(3, "cyst", (0, 0, 0)),)
    empty, full = volume(labels=label), volume((3, (2, 2, 2), (4, 4, 4)), labels=label)
    both = only(evaluate(empty, empty))
    assert (both.dice, both.iou, both.hd95_mm, both.nsd) == (1, 1, 0, 1)
    for pair in ((empty, full), (full, empty)):
        one = only(evaluate(*pair))
        assert (one.dice, one.iou, one.nsd) == (0, 0, 0)
        assert math.isnan(one.hd95_mm)


def test_mean_leaves_out_a_distance_that_has_no_value() -> None:
    reference = volume((1, (2, 2, 2), (8, 8, 8)), (2, (10, 10, 10), (12, 12, 12)))
    prediction = volume((1, (3, 2, 2), (9, 8, 8)), labels=reference.labels)
    evaluation = evaluate(prediction, reference)
    first, second = (label.scores for label in evaluation.labels)
    assert evaluation.mean.hd95_mm == first.hd95_mm == pytest.approx(1.0)
    assert evaluation.mean.dice == pytest.approx((first.dice + second.dice) / 2)


def test_excluded_slices_count_on_neither_side() -> None:
    # Slices 4 and 5 along z are where the prediction is wrong.
    reference = volume((1, (2, 2, 2), (10, 10, 12)))
    prediction = volume((1, (2, 2, 2), (10, 10, 12)), (0, (2, 2, 4), (10, 10, 6)), labels=reference.labels)
    assert only(evaluate(prediction, reference)).dice < 0.95
    evaluation = evaluate(prediction, reference, exclude_slices=(5, 4))
    assert evaluation.axis == 2  # the coarsest
    assert evaluation.excluded_slices == (4, 5)
    assert only(evaluation).dice == 1.0
    assert only(evaluation).hd95_mm == 0.0
    assert (
        prediction.voxels[3, 3, 3] == reference.voxels[3, 3, 4] == 1
    )  # the volumes themselves are untouched
    along_x = evaluate(prediction, reference, exclude_slices=(4, 5), axis=0)
    assert only(along_x).dice < 0.95


def test_slices_that_are_alike_add_nothing_to_surface_scores_when_they_are_excluded() -> None:
    """Where the cut faces of an excluded slice counted, they would agree and make the rest look better."""
    reference, prediction = cube(), cube((0, 2, 0))
    whole, some = (only(evaluate(prediction, reference, exclude_slices=these)) for these in ((), (6, 7, 8)))
    assert (some.hd95_mm, whole.hd95_mm) == pytest.approx((4.0, 4.0))
    assert some.nsd < whole.nsd + 0.02, "an exclusion of equal slices made the surfaces agree better"


def test_surface_scores_are_monais_where_all_slices_count() -> None:
    from monai.metrics.hausdorff_distance import compute_hausdorff_distance
    from monai.metrics.surface_dice import compute_surface_dice

    rng = np.random.default_rng(0)
    left, right = (ndimage.gaussian_filter(rng.normal(size=SHAPE), 2) > 0.02 for _ in range(2))
    ours, truth = (torch.from_numpy(mask)[None, None] for mask in (left, right))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        distance = compute_hausdorff_distance(
            ours, truth, include_background=True, percentile=95, spacing=SPACING_MM
        )
        share = compute_surface_dice(
            ours, truth, [2.0], include_background=True, spacing=SPACING_MM, use_subvoxels=True
        )
    every = np.ones(SHAPE, dtype=bool)
    assert hd95_mm(left, right, SPACING_MM, every) == pytest.approx(float(distance), abs=1e-4)
    assert nsd(left, right, SPACING_MM, every, 2.0) == pytest.approx(float(share), abs=1e-4)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"exclude_slices": range(17)}, "All 17 slices"),
        ({"exclude_slices": (1,), "axis": 3}, "0, 1 or 2"),
        ({"tolerance_mm": -1.0}, "0 mm or more"),
        ({"tolerance_mm": math.nan}, "0 mm or more"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        evaluate(cube(), cube(), **settings)


@pytest.mark.parametrize("index", [17, -1])
def test_a_slice_outside_the_volume_is_refused(index: int) -> None:
    with pytest.raises(VolumeError, match=rf"Slice {index} is outside.*0 to 16"):
        evaluate(cube(), cube(), exclude_slices=(index,))


def test_different_lattices_are_refused_with_both_grids() -> None:
    with pytest.raises(
        GeometryMismatchError, match=r"spacing differs \(1 x 2 x 4 against 1 x 2 x 5 mm\)"
    ) as error:
        evaluate(cube(shape=(23, 19, 16), spacing_mm=(1, 2, 4)), cube())
    for shape in ("23 x 19 x 16", "23 x 19 x 17"):
        assert shape in error.value.details
    with pytest.raises(GeometryMismatchError, match="voxel centers are up to 1 mm apart"):
        evaluate(cube(origin=(0, 0, 1)), cube())
    assert only(evaluate(cube(origin=(0, 0, 1e-6)), cube())).dice == 1.0  # rounding in a header


def stored_otherwise(labels: LabelVolume) -> LabelVolume:
    """The same labels from behind, with the axes in another order, on a larger canvas."""
    voxels = np.pad(labels.voxels, [(3, 1), (0, 2), (4, 4)])[::-1].transpose(2, 0, 1)
    affine = labels.affine_ras_mm.copy()
    affine[:3, 3] += affine[:3, :3] @ [voxels.shape[1] - 1 - 3, 0, -4]
    affine[:3, 0] *= -1
    return replace(labels, voxels=voxels, affine_ras_mm=affine[:, [2, 0, 1, 3]])


def test_one_lattice_in_other_storages_gives_the_same_scores() -> None:
    expected = evaluate(cube((1, 0, 0)), cube())
    assert evaluate(stored_otherwise(cube((1, 0, 0))), cube()).to_json() == expected.to_json()
    assert evaluate(cube((1, 0, 0)), stored_otherwise(cube())).to_json() == expected.to_json()


def cropped(labels: LabelVolume, low: tuple[int, int, int], high: tuple[int, int, int]) -> LabelVolume:
    affine = labels.affine_ras_mm.copy()
    affine[:3, 3] += affine[:3, :3] @ low
    box = tuple(slice(*ends) for ends in zip(low, high, strict=True))
    return replace(labels, voxels=labels.voxels[box], affine_ras_mm=affine)


def test_what_is_predicted_beyond_a_cropped_reference_counts_as_false() -> None:
    """3D Slicer crops a segmentation to what it holds; outside is background, not unknown."""
    prediction, reference = cube((2, 0, 3)), cube()
    small = cropped(reference, (5, 5, 4), (13, 13, 12))
    expected = evaluate(prediction, reference)
    assert 0 < only(expected).dice < 0.6
    assert evaluate(prediction, small).to_json() == expected.to_json()


def test_slices_to_exclude_count_along_the_prediction_however_both_are_stored() -> None:
    """A user excludes the annotated slices as sammed printed them, for the image that it labeled."""
    prediction, reference = cube((2, 0, 3)), cube()
    expected = astuple(only(evaluate(prediction, reference, exclude_slices=(6, 7), axis=2)))
    assert expected != astuple(only(evaluate(prediction, reference)))
    small = cropped(reference, (5, 5, 4), (13, 13, 12))
    for truth in (small, stored_otherwise(reference), stored_otherwise(small)):
        found = evaluate(prediction, truth, exclude_slices=(6, 7), axis=2)
        assert astuple(only(found)) == pytest.approx(expected)  # NSD is summed in another order
        assert found.excluded_slices == (6, 7)
        by_default = evaluate(prediction, truth, exclude_slices=(6, 7))
        assert astuple(only(by_default)) == pytest.approx(expected)
    turned = evaluate(stored_otherwise(prediction), reference, exclude_slices=(10, 11), axis=0)
    assert astuple(only(turned)) == pytest.approx(expected)
    with pytest.raises(VolumeError, match=r"Slice 17 is outside.*0 to 16"):
        evaluate(prediction, small, exclude_slices=(17,), axis=2)


def test_slices_of_a_resampled_prediction_count_along_the_reference() -> None:
    fine = volume((1, (10, 10, 8), (26, 26, 24)), shape=(46, 38, 34), spacing_mm=(0.5, 1.0, 2.5))
    with pytest.raises(VolumeError, match=r"Slice 20 is outside.*0 to 16"):
        evaluate(fine, cube(), exclude_slices=(20,), axis=2, resample=True)


def test_volumes_that_share_no_voxel_are_refused() -> None:
    with pytest.raises(GeometryMismatchError, match="they share no voxel"):
        evaluate(cube(origin=(0, 0, 5000)), cube())


def test_a_resampled_prediction_says_so() -> None:
    said: list[str] = []
    fine = volume((1, (10, 10, 8), (26, 26, 24)), shape=(46, 38, 34), spacing_mm=(0.5, 1.0, 2.5))
    with pytest.raises(GeometryMismatchError, match="--resample"):
        evaluate(fine, cube())
    found = evaluate(fine, cube(), resample=True, report=said.append)
    assert only(found).dice > 0.8
    assert found.to_json()["resampled"] is True
    assert "resampled" not in evaluate(cube(), cube()).to_json()
    assert len(said) == 1


def test_volumes_without_any_label_are_refused() -> None:
    nothing = LabelVolume(np.zeros((5, 3, 2), np.uint8), np.eye(4), ())
    with pytest.raises(LabelError, match="nothing to compare"):
        evaluate(nothing, nothing)


def named(value: int, name: str) -> tuple[Label, ...]:
    return (Label(value, name, (0, 0, 0)),)


@pytest.mark.parametrize(
    ("ours", "truth", "dices"),
    [
        (named(1, "Liver"), named(6, "liver"), {(6, "liver"): 1.0}),  # one name, two values
        (named(6, "label_6"), named(6, "liver"), {(6, "liver"): 1.0}),  # one value, one name missing
        (
            named(6, "liver"),
            named(6, "label_6"),
            {(6, "liver"): 1.0},
        ),  # the name comes from the side that has it
        (named(6, "6"), named(6, "Segment_6"), {(6, "Segment_6"): 1.0}),  # no names at all
        (
            named(6, "liver"),
            named(6, "spleen"),
            {(6, "spleen"): 0.0, (6, "liver"): 0.0},
        ),  # two names, one value
        (named(2, "label_2"), named(6, "liver"), {(6, "liver"): 1.0}),  # each side has one label only
        (
            (*named(2, "label_2"), *named(3, "label_3")),
            named(6, "liver"),
            {(6, "liver"): 0.0, (2, "label_2"): 0.0, (3, "label_3"): 1.0},
        ),  # one of three has no voxel
    ],
)
def test_labels_are_matched_by_name_then_by_value(
    ours: tuple[Label, ...], truth: tuple[Label, ...], dices: dict[tuple[int, str], float]
) -> None:
    box = ((3, 3, 3), (7, 7, 7))
    prediction = volume((ours[0].value, *box), labels=ours)
    reference = volume((truth[0].value, *box), labels=truth)
    evaluation = evaluate(prediction, reference)
    assert {(label.value, label.name): label.scores.dice for label in evaluation.labels} == dices
    sides = {label.name: label.only_in for label in evaluation.labels}
    if len(sides) > 1:
        assert sides == {truth[0].name: "reference", **{label.name: "prediction" for label in ours}}


@pytest.mark.parametrize(
    ("ours", "truth", "sentence"),
    [
        (named(1, "label_1"), named(255, "label_255"), "each has only one, so these two are compared."),
        (named(1, "lung"), named(255, "liver"), "give the same structures the same names or values."),
        (
            (*named(1, "label_1"), *named(2, "label_2")),
            named(255, "label_255"),
            "give the same structures the same names or values.",
        ),
        (named(1, "label_1"), named(1, "label_1"), None),
        ((), named(1, "label_1"), None),
    ],
)
def test_labels_of_which_none_match_are_reported(
    ours: tuple[Label, ...], truth: tuple[Label, ...], sentence: str | None
) -> None:
    box = ((3, 3, 3), (7, 7, 7))
    said: list[str] = []
    prediction = volume((ours[0].value, *box), labels=ours) if ours else volume(labels=())
    evaluation = evaluate(prediction, volume((truth[0].value, *box), labels=truth), report=said.append)
    assert len(said) == (sentence is not None)
    if sentence is not None:
        assert said[0].startswith("Prediction and reference share no label: the prediction has ")
        assert said[0].endswith(sentence)
        assert f"{truth[0].name} ({truth[0].value})" in said[0]
    is_compared = bool(sentence) and "are compared" in str(sentence)
    assert evaluation.labels[0].scores.dice == (1.0 if is_compared or (ours and sentence is None) else 0.0)


def test_a_name_goes_before_a_value_of_another_label() -> None:
    reference = volume((1, (1, 1, 1), (4, 4, 4)), labels=named(1, "label_1"))
    both = (Label(1, "heart", (0, 0, 0)), Label(2, "aorta", (0, 0, 0)))
    prediction = volume((2, (1, 1, 1), (4, 4, 4)), (1, (6, 6, 6), (8, 8, 8)), labels=both)
    swapped = volume((1, (1, 1, 1), (4, 4, 4)), labels=named(1, "Aorta"))
    assert evaluate(prediction, swapped).labels[0].scores.dice == 1.0  # aorta, though its value is another
    assert (
        evaluate(prediction, reference).labels[0].scores.dice == 0.0
    )  # no name there, so by the value: heart


def test_json_has_the_promised_keys_and_no_nan() -> None:
    reference = volume((1, (2, 2, 2), (8, 8, 8)), labels=named(1, "liver"))
    prediction = volume((1, (2, 2, 2), (8, 8, 8)), labels=named(1, "spleen"))
    data = json.loads(json.dumps(evaluate(prediction, reference).to_json(), allow_nan=False))
    assert set(data) == {"labels", "mean"}
    assert set(data["mean"]) == {"dice", "iou", "hd95_mm", "nsd"}
    assert set(data["labels"]) == {"1", "prediction:1"}
    assert data["labels"]["1"] == {"name": "liver", "dice": 0.0, "iou": 0.0, "hd95_mm": None, "nsd": 0.0}
    assert data["mean"]["hd95_mm"] is None


def test_dice_of_boolean_masks() -> None:
    one, other = np.zeros((3, 4), bool), np.zeros((3, 4), bool)
    assert dice(one, other) == 1.0
    one[0] = True
    assert dice(one, other) == 0.0
    other[:2] = True
    assert dice(one, other) == dice(other, one) == pytest.approx(2 * 4 / (4 + 8))


def test_importing_metrics_loads_neither_torch_nor_monai() -> None:
    code = "import sys, sammed.metrics.evaluation; print(sorted({'torch', 'monai'} & set(sys.modules)))"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True, env=environment
    )
    assert done.stdout.strip() == "[]"
