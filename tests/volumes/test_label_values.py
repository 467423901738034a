"""Labels: values as stored, names, colors, and the grid that they share with the image."""

from pathlib import Path

import nibabel
import numpy as np
import pytest

from sammed_volumes.errors import GeometryMismatchError, LabelError
from sammed_volumes.formats import read_labels
from sammed_volumes.labels import (
    Label,
    LabelVolume,
    check_same_grid,
    complete_labels,
    count_values,
    default_color,
    default_label,
)
from sammed_volumes.volume import Volume
from sammed_volumes.whole_numbers import whole_numbers
from tests.conftest import MakePhantom

VALUES = np.array([0, 1, 1, 7, 7, 7, 250, 0], dtype=np.uint8).reshape(2, 2, 2)
KIDNEYS = LabelVolume(
    np.zeros((3, 5, 7), np.uint8),
    np.eye(4),
    (Label(1, "right kidney", (1, 2, 3)), Label(2, "left kidney", (4, 5, 6)), Label(12, "2", (7, 8, 9))),
)


@pytest.mark.parametrize("dtype", ["u1", "<i2", ">i2", "<u2", ">u4", "<i8", "<f4", ">f8"])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_whole_numbers_of_any_type_are_labels(tmp_path: Path, dtype: str, suffix: str) -> None:
    """Many programs write labels as floating-point numbers; they are valid if they are whole."""
    values = VALUES.astype(dtype)
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4), dtype=values.dtype), tmp_path / f"labels{suffix}")
    labels = read_labels(tmp_path / f"labels{suffix}")
    np.testing.assert_array_equal(labels.voxels, VALUES)
    assert labels.voxels.dtype.kind == "u"
    assert [label.value for label in labels.labels] == [1, 7, 250]
    assert labels.voxel_counts() == {1: 2, 7: 3, 250: 1}
    assert not labels.is_empty


def test_scaled_labels_have_their_real_values(tmp_path: Path) -> None:
    header = nibabel.Nifti1Header()
    header.set_data_dtype(np.uint8)
    header.set_slope_inter(0.5, 0)
    image = nibabel.Nifti1Image(VALUES // 2 * 2 / 4, np.eye(4), header)
    nibabel.save(image, tmp_path / "halves.nii")
    with pytest.raises(LabelError, match="fractional values"):
        read_labels(tmp_path / "halves.nii")
    whole, notes = whole_numbers(Volume(VALUES, np.eye(4), slope=2.0, intercept=1.0))
    assert notes == ()
    np.testing.assert_array_equal(whole, VALUES.astype(int) * 2 + 1)
    assert whole.dtype == np.uint16


def test_large_values_stay_exact() -> None:
    large = np.array([0, 2**24 + 1, 2**40 + 3], dtype=np.float64).reshape(1, 1, 3)
    whole, _ = whole_numbers(Volume(large, np.eye(4)))
    assert whole.ravel().tolist() == [0, 2**24 + 1, 2**40 + 3]


@pytest.mark.parametrize("dtype", ["u1", "<i2", ">i4"])
def test_integers_are_views(dtype: str) -> None:
    voxels = VALUES.astype(dtype)
    assert np.shares_memory(whole_numbers(Volume(voxels, np.eye(4)))[0], voxels)


def test_selecting_by_name_and_value() -> None:
    names = [label.name for label in KIDNEYS.select(["left kidney", 1, "12", 1])]
    assert names == ["left kidney", "right kidney", "2"]


def test_selecting_an_unknown_label_lists_those_that_exist() -> None:
    known = r"choose one of its labels: right kidney \(1\), left kidney \(2\)"
    with pytest.raises(LabelError, match=rf"no label 'spleen'; {known}"):
        KIDNEYS.select(["spleen"])


def test_an_ambiguous_choice_is_refused() -> None:
    """One label is called "2", another has the value 2."""
    with pytest.raises(LabelError, match="has 2 labels '2'; choose one by value"):
        KIDNEYS.select(["2"])
    assert KIDNEYS.select([2])[0].name == "left kidney"


def test_values_without_a_name_get_a_default() -> None:
    named = (Label(7, "liver", (1, 2, 3)), Label(9, "not there", (4, 5, 6)))
    labels = complete_labels(VALUES, named)
    assert [(label.value, label.name) for label in labels] == [
        (1, "label_1"),
        (7, "liver"),
        (9, "not there"),
        (250, "label_250"),
    ]


def test_default_colors_are_distinct() -> None:
    """No two of the first 24 are close: at the smallest distance, colors still have different names."""
    colors = np.array([default_color(value) for value in range(1, 25)], dtype=float)
    apart = np.linalg.norm(colors[:, None] - colors[None], axis=-1) + np.eye(24) * 1e3
    assert apart.min() > 25, f"labels {np.unravel_index(apart.argmin(), apart.shape)} look alike"


def test_counting_agrees_with_numpy(phantom: MakePhantom) -> None:
    voxels = phantom(axcodes="SRA").labels.voxels
    values, counts = np.unique(voxels, return_counts=True)
    assert count_values(voxels) == dict(zip(values.tolist(), counts.tolist(), strict=True))


def test_the_phantom_has_the_volumes_that_it_states(phantom: MakePhantom) -> None:
    """The voxels of each organ fill its ellipsoid to 5 percent, in any orientation and spacing."""
    made = phantom(shape=(61, 53, 47), spacing_mm=(1.5, 2.0, 2.5), axcodes="PIR")
    voxel_mm3 = 1.5 * 2.0 * 2.5
    counted = {value: count * voxel_mm3 for value, count in made.labels.voxel_counts().items()}
    assert counted == pytest.approx(made.volumes_mm3, rel=0.05)


@pytest.mark.parametrize(
    ("label", "fact"),
    [
        ((0, "background", (1, 2, 3)), "use 1 or more, since 0 is background"),
        ((1, "  ", (1, 2, 3)), "has no name"),
        ((1, "liver", (1, 2, 256)), "use three numbers from 0 to 255"),
    ],
)
def test_a_label_is_checked(label: tuple[int, str, tuple[int, int, int]], fact: str) -> None:
    with pytest.raises(LabelError, match=fact):
        Label(*label)


@pytest.mark.parametrize(
    ("voxels", "labels", "fact"),
    [
        pytest.param(np.zeros((2, 2, 2), np.int16), (), "unsigned whole numbers", id="signed"),
        pytest.param(np.zeros((2, 2), np.uint8), (), "unsigned whole numbers", id="two axes"),
        pytest.param(VALUES, (default_label(2), default_label(1)), "ascending order", id="order"),
        pytest.param(VALUES, (default_label(2), default_label(2)), "distinct", id="twice"),
    ],
)
def test_a_label_volume_is_checked(voxels: np.ndarray, labels: tuple[Label, ...], fact: str) -> None:
    with pytest.raises(LabelError, match=fact):
        LabelVolume(voxels, np.eye(4), labels)


def moved(**changes: float) -> np.ndarray:
    affine = np.diag([0.5, 0.5, 3.0, 1.0])
    for place, value in changes.items():
        affine[int(place[1]), int(place[2])] = value
    return affine


@pytest.mark.parametrize(
    ("shape", "affine", "difference"),
    [
        pytest.param((7, 11, 5), moved(), None, id="the same"),
        pytest.param((7, 11, 5), moved(_03=1e-4), None, id="rounded in a header"),
        pytest.param((7, 11, 5), moved(_00=0.50001), None, id="spacing rounded"),
        pytest.param((7, 11, 5), moved(_03=0.1), "the origins are 0.1 mm apart", id="a fifth of a voxel off"),
        pytest.param(
            (7, 11, 5),
            moved(_00=0.51),
            r"the spacing differs \(0.51 x 0.5 x 3 against 0.5 x 0.5 x 3 mm\)",
            id="another spacing",
        ),
        pytest.param((7, 11, 5), moved(_00=0.5045), "the spacing differs", id="a little on each voxel"),
        pytest.param(
            (7, 11, 5), moved(_00=0.501, _23=5.0), "the origins are 5 mm apart", id="rounded and moved"
        ),
        pytest.param((7, 11, 5), moved(_00=-0.5), "the directions of the axes differ", id="flipped"),
        pytest.param(
            (7, 11, 6),
            moved(),
            r"the shapes differ \(7 x 11 x 6 against 7 x 11 x 5 voxels\)",
            id="another shape",
        ),
    ],
)
def test_the_same_grid(shape: tuple[int, ...], affine: np.ndarray, difference: str | None) -> None:
    volume = Volume(np.zeros((7, 11, 5), np.int16), moved())
    labels = LabelVolume(np.zeros(shape, np.uint8), affine, ())
    if difference is None:
        check_same_grid(volume, labels)
    else:
        with pytest.raises(
            GeometryMismatchError, match=f"not on the grid of the volume: {difference}.*; .*labels_on"
        ):
            check_same_grid(volume, labels)


def test_the_error_for_another_grid_states_both(tmp_path: Path) -> None:
    volume = Volume(np.zeros((7, 11, 5), np.int16), moved(), path=tmp_path / "image.nii.gz")
    labels = LabelVolume(np.zeros((7, 11, 6), np.uint8), np.eye(4), (), path=tmp_path / "mask.nii.gz")
    with pytest.raises(GeometryMismatchError) as error:
        check_same_grid(volume, labels)
    for part in ("mask.nii.gz", "image.nii.gz", "7 x 11 x 6", "7 x 11 x 5"):
        assert part in str(error.value)
    assert "[[" not in str(error.value)
    for part in ("shape 7 x 11 x 6", "shape 7 x 11 x 5", "[[0.5 0. 0. 0. ]"):
        assert part in error.value.details


def test_values_that_all_round_to_zero_are_refused() -> None:
    voxels = np.zeros((3, 4, 5), dtype=np.float32)
    voxels[1, 2, 3] = 1e-4
    with pytest.raises(LabelError, match=r"all its values round to 0, such as 0\.0001"):
        whole_numbers(Volume(voxels, np.eye(4)))
