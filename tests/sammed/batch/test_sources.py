"""The volumes that files, folders, patterns and lists name, and their places."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK

from sammed.batch.sources import find_sources
from sammed.errors import ConfigError
from sammed_volumes.formats import read_volume


@pytest.fixture(autouse=True)
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def touch(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()


def images(*inputs: str, **settings: Any) -> list[str]:
    found = find_sources([Path(each) for each in inputs], **settings).found
    return [source.image.as_posix() for source in found]


def places(*inputs: str, lists: tuple[Path, ...] = ()) -> list[str]:
    """Return their places in a tree of outputs: the folder below the root, and the name."""
    found = find_sources([Path(each) for each in inputs], lists).found
    return [(source.below / source.name).as_posix() for source in found]


def write_series(folder: str, uid: str, number: str = "1", slices: int = 2, echo: str = "") -> None:
    Path(folder).mkdir(parents=True, exist_ok=True)
    for k in range(slices):
        image = SimpleITK.GetImageFromArray(np.full((1, 4, 5), k, np.int16))
        for tag, text in {
            "0008|0060": "CT",
            "0020|000d": "1.2.3",
            "0020|000e": uid,
            "0020|0011": number,
            "0020|0032": f"0\\0\\{k}",
            "0020|0037": r"1\0\0\0\1\0",
            **({"0018|0086": echo} if echo else {}),
        }.items():
            image.SetMetaData(tag, text)
        writer = SimpleITK.ImageFileWriter()
        writer.KeepOriginalImageUIDOn()
        writer.SetFileName(f"{folder}/{uid}-{k}.dcm")
        writer.Execute(image)
        # Names as scanners write them: only the tags tell which series a file belongs to.
        Path(f"{folder}/{uid}-{k}.dcm").rename(f"{folder}/IM{number}{k}{echo}")


def test_a_folder_and_those_below_it() -> None:
    touch("in/b.nii", "in/a/c.mha", "in/b_label.nii.gz", "in/x.seg.nrrd", "in/.hidden.nii", "in/letter.txt")
    touch("in/.trash/d.nii")
    assert images("in") == ["in/a/c.mha", "in/b.nii"]
    assert places("in") == ["a/c", "b"]
    assert find_sources([Path("in")]).root == Path("in")
    assert find_sources([Path("in")]).is_batch


def test_one_file_is_no_batch_and_one_in_a_folder_is() -> None:
    touch("in/b.nii")
    assert not find_sources([Path("in/b.nii")]).is_batch
    assert find_sources([Path("in")]).is_batch
    assert find_sources([Path("in/*.nii")]).is_batch


def test_a_missing_path_is_left_to_the_reader() -> None:
    Path("empty").mkdir()
    assert images("nowhere.nii", "empty") == ["nowhere.nii", "empty"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        pytest.param("in/*.nii", ["b"], id="files"),
        pytest.param("in/**/*.nii", ["a/x/c", "b"], id="at any depth"),
        pytest.param("in/?", ["a/x/c"], id="a folder is searched"),
        pytest.param("i*/b.nii", ["in/b"], id="from the first wildcard on"),
        pytest.param("in/**", ["a/x/c", "b"], id="everything once"),
    ],
)
def test_patterns(pattern: str, expected: list[str]) -> None:
    touch("in/b.nii", "in/a/x/c.nii", "in/a/x/c_label.nii", "in/notes.txt", "in/.git/d.nii")
    assert places(pattern) == expected


def test_a_pattern_without_a_match() -> None:
    with pytest.raises(ConfigError, match=r"No volume and no folder matches in/\*\.nii"):
        images("in/*.nii")


def test_a_name_with_brackets_is_a_name_where_it_exists() -> None:
    touch("in/scan[1].nii")
    assert images("in/scan[1].nii") == ["in/scan[1].nii"]


def test_a_list(working_folder: Path) -> None:
    touch("p/1/a.nii", "p/2/a.nii", "p/2/more/b.nii")
    listed = Path("scans.txt")
    listed.write_text(f"# by hand\np/1/a.nii\n\n  {working_folder}/p/2\n", encoding="utf-8")
    assert places(lists=(listed,)) == ["1/a", "2/a", "2/more/b"]
    found = find_sources([], [listed])
    assert (found.is_batch, found.root) == (True, working_folder / "p")


@pytest.mark.parametrize("content", [b"# nothing\n", b"\xff\xfe\x00"], ids=["empty", "no text"])
def test_a_list_of_nothing(content: bytes) -> None:
    Path("scans.txt").write_bytes(content)
    with pytest.raises(ConfigError, match=r"The list scans\.txt"):
        find_sources([], [Path("scans.txt")])


def test_dicom_series_in_a_tree() -> None:
    """One folder with several series, folders with one, and a file; names come from the tags."""
    write_series("in/study 1", "1.2.11", "4")
    write_series("in/study 1", "1.2.12", "12")
    write_series("in/study 2/ct", "1.2.21")
    touch("in/study 2/mr.nii")
    found = find_sources([Path("in")]).found
    assert [(each.image.as_posix(), each.series) for each in found] == [
        ("in/study 1", "1.2.11"),
        ("in/study 1", "1.2.12"),
        ("in/study 2/ct", "1.2.21"),
        ("in/study 2/mr.nii", None),
    ]
    assert places("in") == ["study 1_4", "study 1_12", "study 2/ct", "study 2/mr"]


def test_series_with_one_number_are_named_by_their_uids() -> None:
    write_series("in", "1.2.11", "4")
    for k in range(2):
        Path(f"in/IM4{k}").rename(f"in/other{k}")
    write_series("in", "1.2.12", "4")
    assert places("in") == ["in_1.2.11", "in_1.2.12"]


def test_a_named_dicom_folder_is_one_volume() -> None:
    write_series("in", "1.2.11")
    found = find_sources([Path("in")])
    assert not found.is_batch
    assert [each.image for each in found.found] == [Path("in")]


def test_the_choice_of_a_series_holds_for_every_folder() -> None:
    write_series("in/a", "1.2.11", "4")
    write_series("in/a", "1.2.12", "5")
    found = find_sources([Path("in")], series="5").found
    assert [(each.name, each.series) for each in found] == [("a", "5")]


def test_the_sub_volumes_of_a_series_are_volumes_of_their_own() -> None:
    """Two echoes of series 3 and a scout-sized part beside them, series 7, and a folder with echoes alone."""
    for echo in ("1", "2"):
        write_series("in/a", "1.2.11", "3", slices=4, echo=echo)
        write_series("in/b", "1.2.13", "5", slices=4, echo=echo)
    write_series("in/a", "1.2.11", "3", slices=1, echo="3")
    write_series("in/a", "1.2.12", "7")
    found = find_sources([Path("in")])
    assert [(each.name, each.series) for each in found.found] == [
        ("a_3.1", "1.2.11:1"),
        ("a_3.2", "1.2.11:2"),
        ("a_7", "1.2.12"),
        ("b_5.1", "1.2.13:1"),
        ("b_5.2", "1.2.13:2"),
    ]
    assert found.notes == ()
    assert find_sources([Path("in/b")]).is_batch
    for each in found.found:
        assert read_volume(each.image, series=each.series).shape == (5, 4, 2 if each.name == "a_7" else 4)


def test_sub_volumes_of_a_series_without_a_number_of_its_own() -> None:
    for echo in ("1", "2"):
        write_series("in", "1.2.11", "3", echo=echo)
        write_series("in", "1.2.12", "3", echo=f"{echo}0")
    assert places("in") == ["in_1.2.11_1", "in_1.2.11_2", "in_1.2.12_1", "in_1.2.12_2"]


def test_a_chosen_sub_volume_is_no_series_in_several_folders() -> None:
    write_series("in/a", "1.2.11", "3")
    write_series("in/b", "1.2.12", "3")
    assert find_sources([Path("in")], series="3.1").notes == ()


def test_half_a_series_is_reported() -> None:
    write_series("in/a", "1.2.11")
    write_series("in/b", "1.2.11")
    (note,) = find_sources([Path("in")]).notes
    assert "1.2.11 is spread over 2 folders, such as in/a and in/b" in note
