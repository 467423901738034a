"""Archives: a zip of a series is read like its folder, and one that is not to be trusted is refused."""

import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from sammed_volumes.errors import SeriesError, UnreadableVolumeError, UnsupportedVolumeError, VolumeError
from sammed_volumes.formats import read_volume
from tests.volumes.dicom.conftest import SeriesMaker

STRAIGHT = np.diag([-0.5, -0.6, 2.5, 1.0])
VOXELS = np.random.default_rng(2).integers(0, 2000, (7, 5, 4)).astype(np.int16)


@pytest.fixture(autouse=True)
def private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of temporary files, which must be empty in the end."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert list(folder.iterdir()) == []


def zipped(folder: Path, *, below: str = "DICOM/ST0/SE0/") -> Path:
    archive = folder.with_name("export.zip")
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for path in sorted(folder.iterdir()):
            file.write(path, f"{below}{path.name}")
    return archive


def test_a_series_is_read_from_an_archive(make_series: SeriesMaker) -> None:
    folder = make_series(VOXELS, STRAIGHT)
    (folder / "VIEWER.EXE").write_bytes(b"MZ" + b"\0" * 500)
    volume = read_volume(zipped(folder))
    np.testing.assert_array_equal(volume.voxels, VOXELS - 1024)
    np.testing.assert_allclose(volume.affine_ras_mm, STRAIGHT)
    assert volume.path == folder.with_name("export.zip")


def test_files_of_one_name_in_several_folders(make_series: SeriesMaker) -> None:
    folder = make_series(VOXELS, STRAIGHT)
    archive = folder.with_name("export.zip")
    with zipfile.ZipFile(archive, "w") as file:
        for k, path in enumerate(sorted(folder.iterdir())):
            file.write(path, f"SE{k}/IM1")
    np.testing.assert_array_equal(read_volume(archive).voxels, VOXELS - 1024)


def test_a_series_is_chosen_in_an_archive(make_series: SeriesMaker) -> None:
    make_series(VOXELS, STRAIGHT, prefix="a")
    folder = make_series(VOXELS[:, :, :2], STRAIGHT, prefix="b", SeriesInstanceUID="1.2.3.5", SeriesNumber=2)
    archive = zipped(folder)
    with pytest.raises(SeriesError, match="it contains 2 series"):
        read_volume(archive)
    assert read_volume(archive, series="2").shape == (7, 5, 2)


@pytest.mark.parametrize(
    "name", ["../evil.dcm", "a/../../evil.dcm", "/tmp/evil.dcm", "..\\evil.dcm", "C:\\evil.dcm"]
)
def test_a_path_that_leaves_the_archive_is_refused(tmp_path: Path, name: str) -> None:
    archive = tmp_path / "export.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr(name, b"x")
    with pytest.raises(UnsupportedVolumeError, match="would be unpacked outside of the folder"):
        read_volume(archive)
    assert not (tmp_path / "evil.dcm").exists()


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    archive = tmp_path / "bomb.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file, file.open("a.dcm", "w") as member:
        for _ in range(128):
            member.write(b"\0" * (1 << 20))
    assert archive.stat().st_size < 1 << 20
    with pytest.raises(UnsupportedVolumeError, match=r"it would unpack to 1 files and 0.134 GB"):
        read_volume(archive)


def test_other_archives(tmp_path: Path) -> None:
    path = tmp_path / "broken.zip"
    path.write_bytes(b"PK\3\4 not really")
    with pytest.raises(UnreadableVolumeError, match="it is not a zip archive, or it is damaged"):
        read_volume(path)
    with zipfile.ZipFile(tmp_path / "notes.zip", "w") as file:
        file.writestr("notes.txt", "nothing")
    with pytest.raises(UnreadableVolumeError, match="it contains no DICOM images"):
        read_volume(tmp_path / "notes.zip")


def test_an_archive_cut_or_changed_is_damaged(make_series: SeriesMaker) -> None:
    archive = zipped(make_series(VOXELS, STRAIGHT))
    whole = bytearray(archive.read_bytes())
    whole[400] ^= 0xFF
    archive.write_bytes(bytes(whole))
    with pytest.raises(UnreadableVolumeError, match="damaged"):
        read_volume(archive)


def test_a_directory_that_hides_members_is_damaged(make_series: SeriesMaker) -> None:
    """A comment of the first member that covers the others: zipfile lists one."""
    archive = zipped(make_series(VOXELS, STRAIGHT))
    whole = bytearray(archive.read_bytes())
    start, end = whole.index(b"PK\1\2"), whole.index(b"PK\5\6")
    length = end - start - 46 - int.from_bytes(whole[start + 28 : start + 30], "little")
    whole[start + 32 : start + 34] = length.to_bytes(2, "little")
    archive.write_bytes(bytes(whole))
    assert len(zipfile.ZipFile(archive).infolist()) == 1
    with pytest.raises(UnreadableVolumeError, match="it is not a zip archive, or it is damaged"):
        read_volume(archive)


@pytest.mark.parametrize("byte", [0x19, 0xB4, 0xFF])
def test_a_directory_of_which_any_byte_is_another(make_series: SeriesMaker, byte: int) -> None:
    archive = zipped(make_series(VOXELS, STRAIGHT))
    whole, expected = archive.read_bytes(), read_volume(archive).shape
    for place in range(whole.index(b"PK\1\2"), len(whole)):
        archive.write_bytes(whole[:place] + bytes([byte]) + whole[place + 1 :])
        with suppress(VolumeError):
            assert read_volume(archive).shape == expected
