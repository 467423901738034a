"""The picture: what is chosen, what is drawn, and that odd input makes a picture too."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pytest

from sammed.errors import ConfigError
from sammed.reports.overlay import choose_slices, draw_overlay
from sammed_volumes.errors import OutputError
from sammed_volumes.labels import Label
from sammed_volumes.slices import Slicing, plan_slices

RED, BLUE = Label(1, "liver", (255, 0, 0)), Label(2, "aorta", (0, 0, 255))
ANNOTATED_RGB = (255, 210, 63)


def slicing(stack_shape: tuple[int, ...], spacing_mm: tuple[float, ...] = (1.0, 1.0, 5.0)) -> Slicing:
    """Return the slicing of an axial RAS volume whose stack has this shape."""
    slices, height, width = stack_shape
    return plan_slices((width, height, slices), np.diag([*spacing_mm, 1.0]), 2)


def squares(
    shape: tuple[int, int, int] = (6, 40, 50), value: int = 1, low: int = 10, high: int = 30
) -> np.ndarray:
    stack = np.zeros(shape, dtype=np.uint8)
    stack[:, low:high, low:high] = value
    return stack


def draw(
    path: Path,
    prediction: np.ndarray,
    reference: np.ndarray | None = None,
    labels: tuple[Label, ...] = (RED, BLUE),
    image: np.ndarray | None = None,
    spacing_mm: tuple[float, ...] = (1.0, 1.0, 5.0),
    **rest: Any,
) -> np.ndarray:
    if image is None:
        image = np.full(prediction.shape, 0.25, dtype=np.float32)
    plan = slicing(prediction.shape, spacing_mm)
    draw_overlay(image, prediction, reference, labels=labels, slicing=plan, path=path, **rest)
    pixels: np.ndarray = np.round(matplotlib.image.imread(path)[..., :3] * 255).astype(int)
    return pixels


def has_color(pixels: np.ndarray, rgb: tuple[int, int, int], within: int = 60) -> int:
    """Count the pixels near a color."""
    return int((np.abs(pixels - np.array(rgb)).max(axis=-1) < within).sum())


def test_prediction_is_drawn_in_its_color_and_truth_in_white(tmp_path: Path) -> None:
    without = draw(tmp_path / "a.png", squares())
    assert has_color(without, RED.color_rgb) > 500
    bare = has_color(draw(tmp_path / "b.png", squares(value=0)), RED.color_rgb)
    assert bare < has_color(without, RED.color_rgb) / 2  # the legend's square is all that is left
    truth = draw(tmp_path / "c.png", squares(), squares(low=14, high=36))
    assert has_color(truth, (255, 255, 255)) > has_color(without, (255, 255, 255)) + 500


def test_outline_lies_where_the_mask_ends(tmp_path: Path) -> None:
    # One slice, the whole of it in view: the red pixels must span what the mask spans.
    prediction = squares((1, 40, 40), low=8, high=32)
    pixels = draw(tmp_path / "a.png", prediction, labels=(RED,))
    red = np.abs(pixels - np.array(RED.color_rgb)).max(axis=-1) < 60
    panel = red[: pixels.shape[0] - 60]  # without the legend
    rows, columns = np.flatnonzero(panel.any(axis=1)), np.flatnonzero(panel.any(axis=0))
    side = columns[-1] - columns[0]
    assert rows[-1] - rows[0] == pytest.approx(side, abs=3)
    view_width = 24 + 2 * 0.08 * 40  # the mask and a margin of the slice's width on both sides
    assert side / (2.1 * 150) == pytest.approx(24 / np.ceil(view_width), abs=0.03)


def test_pixels_that_are_not_square_keep_their_proportion(tmp_path: Path) -> None:
    tall = draw(tmp_path / "a.png", squares((1, 40, 40)), spacing_mm=(1.0, 1.8, 5.0))
    square = draw(tmp_path / "b.png", squares((1, 40, 40)), spacing_mm=(1.0, 1.0, 5.0))
    assert tall.shape[0] - square.shape[0] == pytest.approx(0.8 * 2.1 * 150, abs=4)
    assert tall.shape[1] == square.shape[1]


def test_annotated_slices_are_framed(tmp_path: Path) -> None:
    plain = draw(tmp_path / "a.png", squares())
    framed = draw(tmp_path / "b.png", squares(), annotated=[2, 4])
    assert has_color(plain, ANNOTATED_RGB) == 0
    assert has_color(framed, ANNOTATED_RGB) > 2 * 4 * 300  # two frames, four sides of some 300 pixels


def test_many_slices_become_one_grid(tmp_path: Path) -> None:
    many = draw(tmp_path / "a.png", squares((40, 40, 50)), columns=4, rows=2)
    four = draw(tmp_path / "b.png", squares((4, 40, 50)), columns=4, rows=2)
    assert many.shape[1] == four.shape[1]
    assert 1.7 * four.shape[0] < many.shape[0] < 2.1 * four.shape[0]


@pytest.mark.parametrize(
    ("labeled", "annotated", "count", "chosen"),
    [
        (range(10), (), 20, tuple(range(10))),  # all fit
        (range(5, 20), (), 4, (5, 10, 14, 19)),  # from the first labeled slice to the last
        (range(5, 20), (11,), 4, (5, 11, 14, 19)),  # an annotated slice takes its neighbor's place
        (range(5, 20), (0, 25), 4, (5, 10, 14, 19)),  # out of the labeled range
        (range(5, 20), (6, 7, 8, 9, 10), 3, (6, 7, 8)),  # more annotated slices than places
        ((), (), 3, (0, 14, 29)),  # nothing labeled: over the whole stack
        ((7,), (7,), 5, (7,)),
        (range(30), (), 1, (14,)),
    ],
)
def test_chosen_slices(
    labeled: Iterable[int], annotated: tuple[int, ...], count: int, chosen: tuple[int, ...]
) -> None:
    found = np.zeros(30, dtype=bool)
    found[list(labeled)] = True
    assert choose_slices(found, annotated, count) == chosen


def test_numbers_are_the_array_indices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib.axes import Axes

    titles: list[str] = []
    original = Axes.set_title

    def set_title(axes: Axes, text: str, **rest: Any) -> None:
        titles.append(text)
        original(axes, text, **rest)

    monkeypatch.setattr(Axes, "set_title", set_title)
    prediction = squares((3, 40, 50))
    flipped = plan_slices((50, 40, 3), np.diag([1.0, 1.0, -5.0, 1.0]), 2)  # stored from superior to inferior
    image = np.zeros(prediction.shape, dtype=np.float32)
    scores = {0: 0.5, 1: float("nan")}
    draw_overlay(
        image, prediction, labels=(RED,), slicing=flipped, path=tmp_path / "a.png", dice_per_slice=scores
    )
    assert titles == ["slice 2", "Dice 0.500", "slice 1", "slice 0"]


@pytest.mark.parametrize(
    ("shape", "labels"),
    [
        ((1, 40, 50), (RED,)),
        ((5, 40, 50), ()),
        ((2, 1, 50), (RED,)),
        ((2, 300, 3), (RED,)),
        ((2, 40, 50), tuple(Label(value, f"organ {value}", (200, value, 90)) for value in range(1, 20))),
        ((2, 40, 50), (Label(1, "_$x^{2$ <b> 肝", (9, 9, 9)),)),
    ],
    ids=["one slice", "no labels", "one row", "very tall", "many labels", "odd name"],
)
def test_odd_input_makes_a_picture(tmp_path: Path, shape: tuple[int, ...], labels: tuple[Label, ...]) -> None:
    pixels = draw(tmp_path / "a.png", np.ones(shape, dtype=np.uint8), labels=labels, annotated=[0])
    assert pixels.size
    assert has_color(pixels, ANNOTATED_RGB) > 0


def test_color_pictures_keep_their_colors(tmp_path: Path) -> None:
    image = np.zeros((1, 40, 50, 3), dtype=np.float32)
    image[..., 1] = 0.8
    pixels = draw(tmp_path / "a.png", squares((1, 40, 50)), image=image)
    assert has_color(pixels, (0, 204, 0)) > 10_000


def test_stacks_of_different_shapes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"\(6, 40, 50\).*prediction \(5, 40, 50\)"):
        draw(tmp_path / "a.png", squares((5, 40, 50)), image=np.zeros((6, 40, 50), dtype=np.float32))
    with pytest.raises(ConfigError, match="reference"):
        draw(tmp_path / "a.png", squares(), squares((5, 40, 50)))
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"mine")
    with pytest.raises(OutputError, match=r"a\.png already exists"):
        draw(path, squares())
    assert path.read_bytes() == b"mine"
    draw(path, squares(), overwrite=True)
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]
