"""Damaged files: a right result or one sentence, whatever bytes are wrong."""

import random
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sammed_volumes.errors import VolumeError
from sammed_volumes.formats import read_labels, read_volume, write_labels
from sammed_volumes.labels import Label, LabelVolume
from tests.volumes.dicom.conftest import Make, Save, SeriesMaker

COUNT = 60
VOXELS = np.random.default_rng(0).integers(0, 2000, (17, 15, 4)).astype(np.int16)


def damaged(whole: bytes, rng: random.Random) -> bytes:
    """Bytes changed, lengths set to extremes, a run of zeros, or the end cut off; mostly in the header."""
    block = bytearray(whole)
    reach = min(len(block), rng.choice([200, 800, 2000, len(block)]))
    kind = rng.choice(["change", "change", "length", "zeros", "cut"])
    if kind == "cut":
        return whole[: rng.randrange(len(whole))]
    if kind == "change":
        for _ in range(rng.randint(1, 6)):
            block[rng.randrange(reach)] = rng.randrange(256)
    place = rng.randrange(132, reach - 4)
    if kind == "length":
        block[place : place + 4] = rng.choice(
            [b"\xff\xff\xff\xff", b"\0\0\0\0", b"\xff\xff\xff\x7f", b"\xfe\xff\0\xe0"]
        )
    if kind == "zeros":
        block[place : place + rng.randint(1, 40)] = b"\0" * 8
    return bytes(block)


def check(path: Path, read: Callable[[], object], seed: int) -> None:
    whole = path.read_bytes()
    rng = random.Random(seed)
    for _ in range(COUNT):
        path.write_bytes(damaged(whole, rng))
        with suppress(VolumeError):
            read()


@pytest.fixture
def folder(make_series: SeriesMaker) -> Any:
    return make_series(VOXELS, np.diag([-0.5, -0.6, 2.5, 1.0]))


def test_a_slice(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    check(folder / "01.dcm", lambda: read_volume(folder), 1)
    assert capfd.readouterr() == ("", "")


def test_a_multi_frame_file(tmp_path: Path, make_many: Make, save_dicom: Save) -> None:
    path = save_dicom(make_many(VOXELS.T.copy(), (0.0, 2.5, 5.0, 7.5)), tmp_path / "scan" / "all.dcm")
    check(path, lambda: read_volume(path.parent), 2)


def test_a_segmentation(folder: Path, tmp_path: Path) -> None:
    volume = read_volume(folder)
    voxels = (volume.voxels > 0).astype(np.uint8)
    labels = LabelVolume(voxels, volume.affine_ras_mm, (Label(1, "x", (1, 2, 3)),))
    write_labels(labels, tmp_path / "a.dcm", like=volume)
    check(tmp_path / "a.dcm", lambda: read_labels(tmp_path / "a.dcm"), 3)


def test_an_archive(folder: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "scan.zip", "w", zipfile.ZIP_DEFLATED) as file:
        for path in folder.iterdir():
            file.write(path, path.name)
    check(tmp_path / "scan.zip", lambda: read_volume(tmp_path / "scan.zip"), 4)


def test_a_syntax_that_is_none(folder: Path) -> None:
    """A changed digit makes a UID that no standard knows."""
    path = folder / "01.dcm"
    path.write_bytes(path.read_bytes().replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.9.2.1\0"))
    with pytest.raises(VolumeError):
        read_volume(folder)


def test_a_first_element_that_is_none(folder: Path) -> None:
    """GDCM takes what follows for a length, and allocated 800 MB."""
    path = folder / "01.dcm"
    whole = path.read_bytes()
    path.write_bytes(whole[:132] + b"\xba" + whole[133:])
    with pytest.raises(VolumeError, match=r"its file 01\.dcm is cut short or damaged"):
        read_volume(folder)


@pytest.mark.parametrize("letter", [b"\n", b"\x1c", b"\x1b"])
def test_a_message_that_quotes_a_file_stays_one_line(folder: Path, letter: bytes) -> None:
    path = folder / "01.dcm"
    path.write_bytes(path.read_bytes().replace(b"1.2.3.4\0", b"1.2" + letter + b"3.4\0"))
    with pytest.raises(VolumeError, match=r"it contains 2 series .*UID 1\.2\?3\.4") as error:
        read_volume(folder)
    assert str(error.value).isprintable()
