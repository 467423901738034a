"""Intensity: windows that show the organ, from any scanner, whatever else is in the file."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from sammed_volumes.errors import WindowError
from sammed_volumes.intensity import (
    WINDOW_PRESETS,
    Window,
    apply,
    auto_window,
    default_window,
    is_constant,
    is_ct,
    parse_window,
    resolve,
    sample_values,
)
from sammed_volumes.orientation import axis_of_plane
from sammed_volumes.slices import Slicing, plan_slices
from sammed_volumes.volume import Volume, count_non_finite
from tests.conftest import MakePhantom, Phantom
from tests.volumes.conftest import Reorient


def slicing_of(volume: Volume) -> Slicing:
    return plan_slices(volume.shape, volume.affine_ras_mm)


def stack_region(made: Phantom, *names: str) -> np.ndarray:
    """Mark the stack's voxels that have one of the labels."""
    values = [label.value for label in made.labels.select(names)]
    return np.isin(slicing_of(made.volume).to_stack(made.labels.voxels), values)


def range_of(made: Phantom, *names: str) -> tuple[float, float]:
    volume, slicing = made.volume, slicing_of(made.volume)
    return resolve(auto_window(volume, slicing, stack_region(made, *names)), volume, slicing)


@pytest.mark.parametrize("axcodes", ["LPS", "SRA"])
def test_a_ct_is_recognized(phantom: MakePhantom, axcodes: str) -> None:
    assert is_ct(phantom(axcodes=axcodes).volume)


def test_an_mri_is_not_a_ct(phantom: MakePhantom) -> None:
    assert not is_ct(phantom(modality="mr").volume)


def with_values(made: Phantom, values: np.ndarray) -> Volume:
    return replace(made.volume, voxels=values.astype(np.float32))


@pytest.mark.parametrize(
    ("change", "answer"),
    [
        pytest.param(lambda v: np.where(v < -900, -3024, v), True, id="-3024 outside the scan circle"),
        pytest.param(lambda v: np.where(v < -900, -2000, v), True, id="-2000 outside the scan circle"),
        pytest.param(lambda v: v + 0.25, True, id="resampled to fractions"),
        pytest.param(lambda v: v + 1024, False, id="raw values without the intercept"),
        pytest.param(lambda v: (v - v.mean()) / v.std(), False, id="z-normalized"),
        pytest.param(lambda v: (v - v.min()) / np.ptp(v), False, id="scaled to 0..1"),
        pytest.param(lambda v: (v + 400) * 6, False, id="a phase image, plus and minus 4096"),
        pytest.param(lambda v: np.full_like(v, -1000), False, id="air alone"),
    ],
)
def test_ct_by_its_values(
    phantom: MakePhantom, change: Callable[[np.ndarray], np.ndarray], answer: bool
) -> None:
    made = phantom()
    assert is_ct(with_values(made, change(made.volume.voxels.astype(np.float32)))) is answer


@pytest.mark.parametrize(
    ("modality", "answer"), [("CT", True), ("MR", False), ("PT", False), (None, True), ("OT", True)]
)
def test_dicoms_modality_precedes_the_values(
    phantom: MakePhantom, modality: str | None, answer: bool
) -> None:
    assert is_ct(replace(phantom().volume, modality=modality)) is answer


def test_pictures_are_not_ct() -> None:
    gray = Volume(np.zeros((5, 7, 1), np.uint8), np.eye(4))
    color = Volume(np.zeros((5, 7, 1, 3), np.uint16), np.eye(4))
    assert not is_ct(gray)
    assert not is_ct(color)


@pytest.mark.parametrize("organ", ["lung", "heart"])
def test_the_window_shows_the_organ_and_its_surroundings(phantom: MakePhantom, organ: str) -> None:
    """The organ is inside the window with room on both sides, and differs visibly from its surroundings."""
    made = phantom()
    low, high = range_of(made, organ)
    value = {"lung": -700, "heart": 150}[organ]
    assert low < value - 50
    assert value + 50 < high
    shown = apply(np.array([[float(value), 0.0]]), low, high)
    assert abs(shown[0, 0] - shown[0, 1]) > 0.3, f"{organ} and body look alike in {low}..{high}"


def test_distant_values_do_not_widen_the_window(phantom: MakePhantom) -> None:
    """The heart's window does not extend to the air around the patient."""
    low, _ = range_of(phantom(), "heart")
    assert low >= -160


def test_air_in_an_organ_does_not_widen_the_window(phantom: MakePhantom) -> None:
    """Like a stomach, a third of the organ is air."""
    made = phantom()
    voxels = made.volume.voxels.copy()
    inside = np.argwhere(made.labels.voxels == 2)
    voxels[tuple(inside[::3].T)] = -950
    made = replace(made, volume=replace(made.volume, voxels=voxels))
    low, high = range_of(made, "heart")
    assert (low, high > 200) == (-160, True)


@pytest.mark.parametrize("padding", [-3024, -2000, -32768])
@pytest.mark.parametrize("organ", ["lung", "heart", "tumour"])
def test_values_outside_the_scan_circle_change_nothing(
    phantom: MakePhantom, padding: int, organ: str
) -> None:
    made = phantom()
    corner = made.volume.voxels.copy()
    corner[:4] = corner[-4:] = padding
    padded = replace(made, volume=replace(made.volume, voxels=corner))
    # The strip replaced air in the field of view, but no organ.
    air = made.volume.voxels.copy()
    air[:4] = air[-4:] = -1000
    plain = replace(made, volume=replace(made.volume, voxels=air))
    assert range_of(padded, organ) == pytest.approx(range_of(plain, organ), abs=5)


def test_a_ct_window_stays_within_meaningful_hu(phantom: MakePhantom) -> None:
    made = phantom()
    metal = made.volume.voxels.astype(np.int16)
    metal[made.labels.voxels == 4] = 30000
    made = replace(made, volume=replace(made.volume, voxels=metal))
    low, high = range_of(made, "lung", "heart", "tumour")
    assert low >= -1024
    assert high <= 3071


@pytest.mark.parametrize("organ", ["lung", "heart", "tumour"])
@pytest.mark.parametrize("scale", [0.013, 3.0])
def test_an_mri_window_fits_another_scanner(phantom: MakePhantom, organ: str, scale: float) -> None:
    """The same body at another gain: the window from the first shows the second the same way."""
    made = phantom(modality="mr")
    slicing = slicing_of(made.volume)
    window = auto_window(made.volume, slicing, stack_region(made, organ))
    assert window.unit == "percentile"
    other = replace(made.volume, voxels=made.volume.voxels.astype(np.float32) * scale)
    low, high = resolve(window, made.volume, slicing)
    assert resolve(window, other, slicing) == pytest.approx((low * scale, high * scale), rel=1e-4)


def test_an_mri_organ_darker_than_the_body_is_shown(phantom: MakePhantom) -> None:
    """The lung (60) is slightly brighter than air (5); the body is 300."""
    made = phantom(modality="mr")
    low, high = range_of(made, "lung")
    shown = apply(np.array([[5.0, 60.0, 300.0]]), low, high)[0]
    assert shown[0] < shown[1] < shown[2], f"window {low}..{high}"


def test_percentiles_are_taken_inside_the_body(phantom: MakePhantom) -> None:
    """Twice as much air around the patient does not change the window."""
    made = phantom(modality="mr")
    window = Window(25.0, 90.0, "percentile")
    padded = np.pad(made.volume.voxels, ((20, 20), (20, 20), (0, 0)), constant_values=5)
    wide = replace(made.volume, voxels=padded)
    expected = resolve(window, made.volume, slicing_of(made.volume))
    assert resolve(window, wide, slicing_of(wide)) == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize("modality", ["ct", "mr"])
@pytest.mark.parametrize("axcodes", ["RAS", "PIR", "SLA", "IPL"])
def test_an_anatomy_gets_the_same_window_however_it_is_stored(
    phantom: MakePhantom, reorient: Reorient, modality: str, axcodes: str
) -> None:
    made = phantom(shape=(67, 59, 31), modality=modality)
    volume = made.volume
    voxels, affine = reorient(volume.voxels, volume.affine_ras_mm, axcodes)
    labels, _ = reorient(made.labels.voxels, volume.affine_ras_mm, axcodes)
    turned = Volume(voxels, affine)
    for plane in ("axial", "coronal"):
        first = plan_slices(volume.shape, volume.affine_ras_mm, axis_of_plane(volume.affine_ras_mm, plane))
        second = plan_slices(turned.shape, affine, axis_of_plane(affine, plane))
        windows = [
            auto_window(volume, first, first.to_stack(made.labels.voxels) == 2),
            auto_window(turned, second, second.to_stack(labels) == 2),
        ]
        assert windows[0] == windows[1]
        assert resolve(windows[0], volume, first) == resolve(windows[1], turned, second)


def test_a_picture_keeps_its_range() -> None:
    picture = Volume(np.full((5, 7, 1, 3), 200, np.uint8), np.eye(4))
    slicing = slicing_of(picture)
    assert auto_window(picture, slicing, np.ones(slicing.stack_shape, bool)) == Window(0.0, 255.0, "value")


@pytest.mark.parametrize("region", [None, "empty"])
def test_the_default_applies_without_an_annotation(phantom: MakePhantom, region: str | None) -> None:
    for modality, expected in (
        ("ct", WINDOW_PRESETS["soft-tissue"]),
        ("mr", Window(0.0, 99.5, "percentile")),
    ):
        volume = phantom(modality=modality).volume
        slicing = slicing_of(volume)
        empty = np.zeros(slicing.stack_shape, bool) if region else None
        assert auto_window(volume, slicing, empty) == default_window(volume) == expected


def test_nan_does_not_affect_the_window(phantom: MakePhantom) -> None:
    made = phantom(modality="mr")
    broken = made.volume.voxels.astype(np.float32)
    broken[::5, ::3, ::2] = np.nan
    volume = count_non_finite(replace(made.volume, voxels=broken))
    slicing = slicing_of(volume)
    expected = range_of(made, "heart")
    window = auto_window(volume, slicing, stack_region(made, "heart"))
    assert np.isfinite(resolve(window, volume, slicing)).all()
    assert resolve(window, volume, slicing)[1] == pytest.approx(expected[1], rel=0.1)


def test_a_region_outside_the_scan_falls_back(phantom: MakePhantom) -> None:
    made = phantom()
    nothing = replace(made.volume, voxels=np.full_like(made.volume.voxels, -3024), modality="CT")
    window = auto_window(nothing, slicing_of(nothing), stack_region(made, "heart"))
    assert window == WINDOW_PRESETS["soft-tissue"]


@pytest.mark.parametrize(
    ("text", "window"),
    [
        ("auto", None),
        (" AUTO ", None),
        ("lung", WINDOW_PRESETS["lung"]),
        ("Soft-Tissue", WINDOW_PRESETS["soft-tissue"]),
        ("-100,250", Window(-100.0, 250.0, "value")),
        ("0.5, 1.5", Window(0.5, 1.5, "value")),
    ],
)
def test_parsing_a_window(text: str, window: Window | None) -> None:
    assert parse_window(text) == window


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("lungs", "A window is auto, LOW,HIGH or one of soft-tissue, abdomen,"),
        ("1,2,3", "not '1,2,3'"),
        ("", "not ''"),
        ("5,5", "from a lower to a higher number, not from 5.0 to 5.0"),
        ("9,1", "not from 9.0 to 1.0"),
        ("nan,1", "not from nan to 1.0"),
    ],
)
def test_text_that_is_not_a_window_is_refused(text: str, fact: str) -> None:
    with pytest.raises(WindowError) as error:
        parse_window(text)
    assert fact in str(error.value)


def test_percentiles_have_limits() -> None:
    with pytest.raises(WindowError, match="Percentiles must be between 0 and 100"):
        Window(1.0, 101.0, "percentile")


def test_presets_have_the_widths_and_levels_that_radiologists_use() -> None:
    widths_and_levels = {name: (w.high - w.low, (w.high + w.low) / 2) for name, w in WINDOW_PRESETS.items()}
    assert widths_and_levels == {
        "soft-tissue": (400, 40),
        "abdomen": (400, 40),
        "liver": (150, 30),
        "mediastinum": (350, 50),
        "lung": (1500, -600),
        "bone": (1800, 400),
        "brain": (80, 40),
    }


def test_apply_maps_the_window_to_0_to_1() -> None:
    shown = apply(np.array([[-500, -100, 0, 100, 9000]], np.int16), -100.0, 100.0)
    assert shown.dtype == np.float32
    assert shown.tolist() == [[0, 0, 0.5, 1, 1]]


def test_apply_shows_nan_as_background() -> None:
    assert apply(np.array([[np.nan, np.inf, -np.inf]], np.float32), 0.0, 1.0).tolist() == [[0, 0, 0]]


def test_apply_does_not_divide_by_zero() -> None:
    assert apply(np.full((2, 3), 7.0), 7.0, 7.0).tolist() == [[0, 0, 0], [0, 0, 0]]


def test_apply_keeps_color() -> None:
    assert apply(np.full((2, 3, 3), 51, np.uint8), 0.0, 255.0) == pytest.approx(np.full((2, 3, 3), 0.2))


@pytest.mark.parametrize(
    ("change", "answer"),
    [
        pytest.param({}, True, id="one value"),
        pytest.param({(1, 2, 3): 8}, False, id="one voxel differs"),
        pytest.param({(1, 2, 3): np.nan}, True, id="NaN counts as background"),
    ],
)
def test_a_constant_volume(change: dict[tuple[int, int, int], float], answer: bool) -> None:
    voxels = np.full((3, 5, 7), 7.0, np.float32)
    for place, value in change.items():
        voxels[place] = value
    volume = count_non_finite(Volume(voxels, np.eye(4)))
    assert is_constant(volume) is answer


def test_a_constant_volume_has_a_window_that_shows_nothing() -> None:
    volume = Volume(np.full((3, 5, 7), 7, np.int16), np.eye(4))
    slicing = slicing_of(volume)
    region = np.zeros(slicing.stack_shape, bool)
    region[2, 2, 2] = True
    low, high = resolve(auto_window(volume, slicing, region), volume, slicing)
    assert not apply(volume.values(volume.voxels[0]), low, high).any()


@pytest.mark.parametrize("shape", [(300, 280, 5), (7, 600, 90), (64, 64, 64), (2, 2, 2)])
def test_a_sample_is_small_and_spread(shape: tuple[int, ...]) -> None:
    volume = Volume(np.arange(np.prod(shape), dtype=np.int32).reshape(shape), np.eye(4))
    sample = sample_values(volume, slicing_of(volume))
    assert 0 < sample.size <= 210_000
    assert sample.min() < 0.2 * volume.voxels.max()
    assert sample.max() > 0.8 * volume.voxels.max() or shape == (2, 2, 2)
