"""Prompts: from a JSON file or the command line to the slices of the stack."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sammed.errors import PromptError
from sammed.prompts.file import read_prompts
from sammed.prompts.marks import Mark, parse_box, parse_point
from sammed.prompts.placing import Grid, PlacedPrompt, labels_of, place_marks
from sammed_volumes.labels import Label
from sammed_volumes.slices import plan_slices

SHAPE = (23, 19, 7)
LPS = np.diag([-2.0, -2.0, 5.0, 1.0])
RAS = np.diag([2.0, 2.0, 5.0, 1.0])
Read = Callable[..., tuple[PlacedPrompt, ...]]
LABELS = (Label(1, "liver", (200, 0, 0)), Label(6, "spleen", (0, 200, 0)))


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Write a file of these entries and read it."""

    def write_and_read(
        *entries: object, affine: np.ndarray = LPS, labels: Sequence[Label] | None = LABELS, **keys: object
    ) -> tuple[PlacedPrompt, ...]:
        path = tmp_path / "prompts.json"
        path.write_text(json.dumps({**keys, "prompts": list(entries)}), encoding="utf-8")
        return read_prompts(path, plan_slices(SHAPE, affine), affine, labels)

    return write_and_read


def box_of(placed: PlacedPrompt) -> np.ndarray:
    assert placed.prompt.box_xyxy_slice is not None
    return placed.prompt.box_xyxy_slice


def test_points_come_to_their_slice_with_their_signs(read: Read) -> None:
    (placed,) = read({"label": "liver", "points": [[4, 5, 2, "+"], [6, 7, 2, "-"]]})
    assert placed.label.name == "liver"
    assert placed.slice_index == 2
    # LPS arrays are in the canonical pose already, but for the axes: x is i, y is j.
    assert placed.prompt.points_xy_slice.tolist() == [[4, 5], [6, 7]]
    assert placed.prompt.signs.tolist() == [1, 0]


def test_flipped_axes_are_turned_into_the_canonical_pose(
    read: Read,
) -> None:
    (placed,) = read({"label": 1, "points": [[4, 5, 2, "+"]], "boxes": [[3, 4, 2, 8, 9, 2]]}, affine=RAS)
    assert placed.prompt.points_xy_slice.tolist() == [[22 - 4, 18 - 5]]
    assert box_of(placed).tolist() == [22 - 8, 18 - 9, 22 - 3, 18 - 4]


@pytest.mark.parametrize("affine", [LPS, RAS], ids=["LPS", "RAS"])
def test_millimeters_and_voxels_mean_the_same(read: Read, affine: np.ndarray) -> None:
    def entry(first: list[float], last: list[float], point: list[float]) -> dict[str, Any]:
        return {"label": 6, "boxes": [[*first, *last]], "points": [[*point, "+"]]}

    first, last, point = np.array([3, 4, 2]), np.array([8, 9, 2]), np.array([5, 5, 2])
    (by_voxel,) = read(entry(*(each.tolist() for each in (first, last, point))), affine=affine)
    first_mm, last_mm, point_mm = (affine[:3, :3] @ each for each in (first, last, point))
    low, high = np.minimum(first_mm, last_mm), np.maximum(first_mm, last_mm)
    (by_mm,) = read(entry(low.tolist(), high.tolist(), point_mm.tolist()), affine=affine, frame="ras_mm")
    assert by_voxel.slice_index == by_mm.slice_index
    np.testing.assert_allclose(box_of(by_voxel), box_of(by_mm))
    np.testing.assert_allclose(by_voxel.prompt.points_xy_slice, by_mm.prompt.points_xy_slice)


def test_a_slice_given_once_stands_for_its_index(read: Read) -> None:
    (short,) = read({"label": 1, "slice": 2, "points": [[4, 5, "+"]], "boxes": [[3, 4, 8, 9]]})
    (long,) = read({"label": 1, "points": [[4, 5, 2, "+"]], "boxes": [[3, 4, 2, 8, 9, 2]]})
    assert short.slice_index == long.slice_index
    assert (short.prompt.points_xy_slice == long.prompt.points_xy_slice).all()
    assert (box_of(short) == box_of(long)).all()


def test_several_labels_and_slices_come_in_order(read: Read) -> None:
    placed = read(
        {"label": "spleen", "points": [[4, 5, 3, "+"]]},
        {"label": "liver", "points": [[4, 5, 6, "+"]]},
        {"label": "liver", "points": [[4, 5, 1, "+"]]},
    )
    assert [(each.label.value, each.slice_index) for each in placed] == [(1, 1), (1, 6), (6, 3)]


def test_points_belong_to_their_box_and_negatives_to_all(
    read: Read,
) -> None:
    placed = read(
        {"label": 1, "slice": 2, "boxes": [[1, 1, 5, 5], [10, 10, 20, 16]]},
        {"label": 1, "slice": 2, "points": [[12, 12, "+"], [2, 2, "+"], [8, 8, "-"], [21, 3, "+"]]},
    )
    first, second, boxless = (each.prompt for each in placed)
    assert first.points_xy_slice.tolist() == [[2, 2], [8, 8]]
    assert second.points_xy_slice.tolist() == [[12, 12], [8, 8]]
    assert boxless.points_xy_slice.tolist() == [[21, 3], [8, 8]]
    assert [prompt.kind for prompt in (first, second, boxless)] == ["points+box", "points+box", "points"]
    assert all(prompt.signs.tolist() == [1, 0] for prompt in (first, second, boxless))


def test_a_point_in_two_boxes_belongs_to_the_smaller(read: Read) -> None:
    placed = read({"label": 1, "slice": 2, "boxes": [[1, 1, 20, 16], [3, 3, 6, 6]], "points": [[4, 4, "+"]]})
    assert [each.prompt.count for each in placed] == [0, 1]


def test_one_label_need_not_be_named(read: Read) -> None:
    (placed,) = read({"points": [[4, 5, 2, "+"]]}, labels=LABELS[:1])
    assert placed.label is LABELS[0]


def test_without_known_labels_the_marks_define_them(read: Read) -> None:
    placed = read(
        {"label": "liver", "points": [[4, 5, 2, "+"]]}, {"label": 1, "points": [[9, 5, 2, "+"]]}, labels=None
    )
    assert [(each.label.value, each.label.name) for each in placed] == [(1, "label_1"), (2, "liver")]


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (
            {"label": 1, "points": [[4, 5, 7, "+"]]},
            r"point 1: \(4, 5, 7\) is outside the volume.*\(22, 18, 6\)",
        ),
        ({"label": 1, "points": [[4, -1, 2, "+"]]}, "outside the volume"),
        ({"label": 1, "slice": 7, "points": [[4, 5, "+"]]}, "slice 7 is outside .* 0 to 6 along axis 2"),
        ({"label": 1, "slice": 2.5, "points": [[4, 5, "+"]]}, "whole number"),
        ({"points": [[4, 5, 2, "+"]]}, r"no label; name one of: liver \(1\), spleen \(6\)"),
        ({"label": "lever", "points": [[4, 5, 2, "+"]]}, r"no label 'lever'; .* liver \(1\), spleen \(6\)"),
        ({"label": True, "points": [[4, 5, 2, "+"]]}, "name or a whole number"),
        ({"label": 1, "boxes": [[8, 4, 2, 3, 9, 2]]}, "box 1: the box from .* inside out"),
        ({"label": 1, "boxes": [[3, 4, 2, 8, 9, 3]]}, "reaches from slice 2 to slice 3 along axis 2"),
        ({"label": 1, "boxes": [[3, 4, 2, 8, 9]]}, "a box is 6 coordinates"),
        ({"label": 1, "slice": 2, "boxes": [[3, 4, 2, 8, 9, 2]]}, "a box is 4 coordinates"),
        ({"label": 1, "points": [[4, 5, 2]]}, 'point 1: a point is 3 coordinates and "\\+" or "-"'),
        ({"label": 1, "points": [[4, 5, 2, "?"]]}, 'a point is 3 coordinates and "\\+" or "-"'),
        ({"label": 1, "points": [[4, 5, 2, []]]}, "a point is 3 coordinates"),
        ({"label": 1, "points": [["4", 5, 2, "+"]]}, "coordinates are numbers"),
        ({"label": 1, "points": [[4, 5, 10**400, "+"]]}, "a coordinate is too large a number"),
        ({"label": 1, "points": [[4, 5, float("nan"), "+"]]}, "outside the volume"),
        ({"label": 1, "points": [[4, 5, 2, "-"]]}, "slice 2 liver has background points only"),
        ({"label": 1, "points": 5}, "points is a list"),
        ({"label": 1}, "neither points nor boxes"),
        (
            {"label": 1, "point": [[4, 5, 2, "+"]]},
            "'point' is unknown; there are boxes, label, points, slice",
        ),
        ("liver", "is not an object"),
    ],
)
def test_what_is_wrong_with_an_entry_costs_one_sentence(
    read: Read, tmp_path: Path, entry: dict[str, Any], words: str
) -> None:
    with pytest.raises(PromptError, match=words) as caught:
        read(entry)
    message = str(caught.value)
    assert message.startswith(str(tmp_path / "prompts.json"))
    assert message.endswith(".")
    assert "\n" not in message


def test_a_slice_goes_with_voxels_only(read: Read) -> None:
    with pytest.raises(PromptError, match="in millimeters give three coordinates"):
        read({"label": 1, "slice": 2, "points": [[4, 5, "+"]]}, frame="ras_mm")


def test_an_unknown_frame_is_rejected(read: Read) -> None:
    with pytest.raises(PromptError, match="voxel or ras_mm"):
        read({"label": 1, "points": [[4, 5, 2, "+"]]}, frame="lps_mm")


def test_millimeters_outside_show_how_far_the_volume_reaches(
    read: Read,
) -> None:
    with pytest.raises(PromptError, match=r"millimeters run from \(-44, -36, 0\) to \(0, 0, 30\)"):
        read({"label": 1, "points": [[4, 5, 2, "+"]]}, frame="ras_mm")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is not JSON"),
        ("{", "is not JSON"),
        ("[]", 'an object with a list "prompts"'),
        ('{"prompts": {}}', 'an object with a list "prompts"'),
        ('{"prompts": [], "axis": 2}', "'axis' is unknown"),
        ('{"prompts": []}', "no point and no box"),
    ],
)
def test_a_file_of_another_form_is_rejected(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "prompts.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(PromptError, match=words):
        read_prompts(path, plan_slices(SHAPE, LPS), LPS, LABELS)


def test_a_missing_file_and_bytes_that_are_no_text_are_rejected(tmp_path: Path) -> None:
    path = tmp_path / "prompts.json"
    with pytest.raises(PromptError, match=r"prompts.json: can't be read"):
        read_prompts(path, plan_slices(SHAPE, LPS), LPS, LABELS)
    path.write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(PromptError, match="is not JSON"):
        read_prompts(path, plan_slices(SHAPE, LPS), LPS, LABELS)


def test_options_mean_the_same_as_a_file(read: Read) -> None:
    marks: list[Mark] = [
        parse_point("liver: 4,5,2,+"),
        parse_point("liver:6,7,2,-"),
        parse_box("1:3,4,2,8,9,2"),
    ]
    (from_options,) = place_marks(marks, Grid(plan_slices(SHAPE, LPS), LPS), LABELS)
    (from_file,) = read(
        {"label": "liver", "points": [[4, 5, 2, "+"], [6, 7, 2, "-"]], "boxes": [[3, 4, 2, 8, 9, 2]]}
    )
    assert from_options.label == from_file.label
    assert (from_options.prompt.points_xy_slice == from_file.prompt.points_xy_slice).all()
    assert (box_of(from_options) == box_of(from_file)).all()


@pytest.mark.parametrize(
    ("parse", "text", "words"),
    [
        (parse_point, "4,5,2", "a point is i,j,k"),
        (parse_point, "4,5,+", "a point is i,j,k"),
        (parse_point, "4,five,2,+", "are not three numbers"),
        (parse_box, "4,5,2,8", "a box is i0,j0,k0,i1,j1,k1"),
        (parse_box, "8,5,2,4,9,2", "inside out"),
        (parse_box, "8,5,2,4,x,2", "are not three numbers"),
    ],
)
def test_wrong_options_are_rejected(parse: Callable[[str], object], text: str, words: str) -> None:
    with pytest.raises(PromptError, match=words):
        parse(text)


def test_labels_of_numbers_and_names() -> None:
    marks = [parse_point(f"{name}:1,1,1,+") for name in ("tumour", "2", "cyst", "tumour")]
    assert [(label.value, label.name) for label in labels_of(marks)] == [
        (1, "tumour"),
        (2, "label_2"),
        (3, "cyst"),
    ]
