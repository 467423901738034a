"""Segments: layers of Slicer, overlapping or not, and names in any language."""

from pathlib import Path

import numpy as np
import pytest

from sammed_volumes.errors import LabelError, UnsupportedVolumeError
from sammed_volumes.formats import read_labels, read_volume
from sammed_volumes.segments import merge_layers, segments_of

SHAPE = (3, 5, 7)


def write_seg(
    path: Path,
    layers: np.ndarray,
    fields: dict[str, object],
    directions: str = "none (-1,0,0) (0,-1,0) (0,0,2)",
    kind: str = "unsigned char",
) -> Path:
    """Write a segmentation like Slicer does, by hand: layers L X Y Z, or X Y Z."""
    kinds = ("list " if layers.ndim == 4 else "") + "domain domain domain"
    lines = [
        "NRRD0004",
        "# Complete NRRD file format specification at:",
        f"type: {kind}",
        "endian: little",
        f"dimension: {layers.ndim}",
        "space: left-posterior-superior",
        f"sizes: {' '.join(map(str, layers.shape))}",
        f"space directions: {directions if layers.ndim == 4 else directions.removeprefix('none ')}",
        f"kinds: {kinds}",
        "encoding: raw",
        "space origin: (10,20,30)",
        *(f"{key}:={value}" for key, value in fields.items()),
    ]
    path.write_bytes(("\n".join(lines) + "\n\n").encode() + layers.tobytes(order="F"))
    return path


def fields_of(*segments: tuple[str, object, int, str]) -> dict[str, object]:
    fields: dict[str, object] = {}
    for number, (name, value, layer, color) in enumerate(segments):
        fields[f"Segment{number}_Name"] = name
        fields[f"Segment{number}_ID"] = f"S{number}"
        fields[f"Segment{number}_LabelValue"] = value
        fields[f"Segment{number}_Layer"] = layer
        fields[f"Segment{number}_Color"] = color
    return fields


@pytest.fixture
def layers() -> np.ndarray:
    """Two layers that overlap in one voxel."""
    made = np.zeros((2, *SHAPE), dtype=np.uint8)
    made[0, 0] = 1
    made[0, 1] = 2
    made[1, 1, 0, 0] = 3
    made[1, 2] = 3
    return made


THREE = fields_of(("Leber", 1, 0, "1 0 0.5"), ("Milz", 2, 0, "0 1 0"), ("Läsion über Milz", 3, 1, "0 0 1"))


def test_overlapping_segments_are_refused_by_name(tmp_path: Path, layers: np.ndarray) -> None:
    path = write_seg(tmp_path / "a.seg.nrrd", layers, THREE)
    with pytest.raises(LabelError, match="its segments 'Milz' and 'Läsion über Milz' overlap"):
        read_labels(path)


def test_the_later_segment_wins_when_flattened(tmp_path: Path, layers: np.ndarray) -> None:
    labels = read_labels(write_seg(tmp_path / "a.seg.nrrd", layers, THREE), flatten=True)
    assert [label.name for label in labels.labels] == ["Leber", "Milz", "Läsion über Milz"]
    assert labels.voxels[1, 0, 0] == 3
    assert labels.voxel_counts() == {1: 35, 2: 34, 3: 36}
    np.testing.assert_array_equal(
        labels.affine_ras_mm, [[1, 0, 0, -10], [0, 1, 0, -20], [0, 0, 2, 30], [0, 0, 0, 1]]
    )


def test_layers_that_do_not_overlap_are_merged(tmp_path: Path, layers: np.ndarray) -> None:
    layers[1, 1] = 0
    labels = read_labels(write_seg(tmp_path / "a.seg.nrrd", layers, THREE))
    assert labels.voxel_counts() == {1: 35, 2: 35, 3: 35}
    assert labels.labels[0].color_rgb == (255, 0, 128)


def test_values_used_in_two_layers_are_renumbered(tmp_path: Path) -> None:
    layers = np.zeros((2, *SHAPE), dtype=np.uint8)
    layers[0, 0] = layers[1, 2] = 1
    fields = fields_of(("a", 1, 0, "1 0 0"), ("b", 1, 1, "0 1 0"))
    labels = read_labels(write_seg(tmp_path / "a.seg.nrrd", layers, fields))
    assert [(label.value, label.name) for label in labels.labels] == [(1, "a"), (2, "b")]
    assert (labels.voxels[0] == 1).all()
    assert (labels.voxels[2] == 2).all()


def test_old_files_have_one_layer_per_segment(tmp_path: Path) -> None:
    """Slicer before 4.11 wrote neither Layer nor LabelValue."""
    layers = np.zeros((2, *SHAPE), dtype=np.uint8)
    layers[0, 0] = layers[1, 2] = 1
    fields: dict[str, object] = {"Segment0_Name": "a", "Segment1_Name": "b", "Segment1_Color": "0 0 1"}
    labels = read_labels(write_seg(tmp_path / "a.seg.nrrd", layers, fields))
    assert [(label.value, label.name) for label in labels.labels] == [(1, "a"), (2, "b")]


def test_one_layer(tmp_path: Path, layers: np.ndarray) -> None:
    fields = fields_of(("Leber", 1, 0, "1 0 0"), ("Milz", 2, 0, "nonsense"[:0]))
    labels = read_labels(write_seg(tmp_path / "a.seg.nrrd", layers[0], fields))
    assert [(label.value, label.name) for label in labels.labels] == [(1, "Leber"), (2, "Milz")]


def test_a_value_without_a_segment_gets_a_default_name(tmp_path: Path, layers: np.ndarray) -> None:
    fields = fields_of(("Leber", 1, 0, "1 0 0"))
    labels = read_labels(write_seg(tmp_path / "a.seg.nrrd", layers[0], fields))
    assert [label.name for label in labels.labels] == ["Leber", "label_2"]


@pytest.mark.parametrize(
    ("fields", "fact"),
    [
        (
            fields_of(("a", "one", 0, "1 0 0")),
            "its segment 0 lacks a valid value, layer or color",
        ),
        (fields_of(("a", 1, 0, "red")), "its segment 0 lacks a valid value, layer or color"),
        (fields_of(("a", 1, 5, "1 0 0")), "segment 'a' is in layer 5, but there are only 2 layers"),
    ],
)
def test_a_broken_declaration_is_named(
    tmp_path: Path, layers: np.ndarray, fields: dict[str, object], fact: str
) -> None:
    with pytest.raises(LabelError, match=fact):
        read_labels(write_seg(tmp_path / "a.seg.nrrd", layers, fields))


def test_one_value_for_two_segments_of_a_layer_is_refused(tmp_path: Path, layers: np.ndarray) -> None:
    fields = fields_of(("a", 1, 0, "1 0 0"), ("b", 1, 0, "1 0 0"))
    with pytest.raises(LabelError, match="two of its segments have the label value 1"):
        read_labels(write_seg(tmp_path / "a.seg.nrrd", layers[0], fields))


@pytest.mark.parametrize("sizes", ["0 3 5 1000000000000", "-2 3 5 7", "2 3 0 7"])
def test_layers_of_no_voxels_are_refused(tmp_path: Path, layers: np.ndarray, sizes: str) -> None:
    path = write_seg(tmp_path / "a.seg.nrrd", layers, THREE)
    path.write_bytes(path.read_bytes().replace(b"sizes: 2 3 5 7", f"sizes: {sizes}".encode()))
    with pytest.raises(UnsupportedVolumeError, match="it contains no voxels; export it again"):
        read_labels(path)


def test_layers_are_not_a_volume(tmp_path: Path, layers: np.ndarray) -> None:
    path = write_seg(tmp_path / "a.seg.nrrd", layers, THREE)
    with pytest.raises(UnsupportedVolumeError, match="it has 4 dimensions"):
        read_volume(path)


def test_layers_of_a_plain_nrrd_are_labels(tmp_path: Path, layers: np.ndarray) -> None:
    layers[1, 1] = 0
    labels = read_labels(write_seg(tmp_path / "b.nrrd", layers, {}))
    assert [(label.value, label.name) for label in labels.labels] == [
        (1, "label_1"),
        (2, "label_2"),
        (3, "label_3"),
    ]
    assert labels.voxel_counts() == {1: 35, 2: 35, 3: 35}
    named = read_labels(write_seg(tmp_path / "c.nrrd", layers, THREE))
    assert [label.name for label in named.labels] == ["Leber", "Milz", "Läsion über Milz"]
    np.testing.assert_array_equal(named.voxels, labels.voxels)


def test_layers_of_a_plain_nrrd_that_overlap_need_the_option(tmp_path: Path, layers: np.ndarray) -> None:
    path = write_seg(tmp_path / "b.nrrd", layers, {})
    with pytest.raises(LabelError, match=r"'label_2' and 'label_3' overlap.*--flatten"):
        read_labels(path)
    assert read_labels(path, flatten=True).voxel_counts() == {1: 35, 2: 34, 3: 36}


def test_masks_in_the_layers_of_a_plain_nrrd_are_numbered(tmp_path: Path) -> None:
    layers = np.zeros((3, *SHAPE), dtype=np.uint8)
    layers[0, 0] = layers[1, 1] = layers[2, 2] = 255
    labels = read_labels(write_seg(tmp_path / "b.nrrd", layers, {}))
    assert [(label.value, label.name) for label in labels.labels] == [
        (1, "label_1"),
        (2, "label_2"),
        (3, "label_3"),
    ]
    for value in (1, 2, 3):
        assert (labels.voxels[value - 1] == value).all()


def test_a_series_of_images_has_no_layers_of_labels(tmp_path: Path) -> None:
    intensities = np.arange(4 * np.prod(SHAPE), dtype=np.int16).reshape(4, *SHAPE)
    path = write_seg(tmp_path / "b.nrrd", intensities.astype("<i2"), {}, kind="short")
    with pytest.raises(UnsupportedVolumeError, match="it has 4 dimensions"):
        read_labels(path)
    with pytest.raises(UnsupportedVolumeError, match="it has 4 dimensions"):
        read_labels(write_seg(path, intensities - 500, {}, kind="short"))


def test_a_list_of_one_is_a_volume(tmp_path: Path, layers: np.ndarray) -> None:
    volume = read_volume(write_seg(tmp_path / "a.nrrd", layers[:1], {}))
    np.testing.assert_array_equal(volume.voxels, layers[0])
    assert volume.header is None, "a header for four axes would not fit the output"


def test_no_pairs_no_segments() -> None:
    assert segments_of({"Segmentation_MasterRepresentation": "Binary labelmap", "comment": "x"}) == ()


def test_merging_nothing_is_empty() -> None:
    merged, labels = merge_layers(np.zeros((0, *SHAPE), np.uint8), (), flatten=False)
    assert merged.shape == SHAPE
    assert labels == ()
