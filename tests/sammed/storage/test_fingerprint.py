"""Fingerprints: they change with the image, and only with it."""

import os
from pathlib import Path

import numpy as np
import pytest

from sammed.storage.fingerprint import Fingerprint, fingerprint, image_digest, labels_digest, sha256_of


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "a.nii"
    path.write_bytes(b"one")
    return path


def test_the_fingerprint_of_a_file_is_its_digest(image: Path) -> None:
    assert fingerprint(image).sha256 == image_digest(image) == sha256_of(image)


def test_the_same_stamp_saves_reading(image: Path) -> None:
    known = Fingerprint("noted before", fingerprint(image).stamp)
    assert fingerprint(image, known) is known


@pytest.mark.parametrize(("content", "later_ns"), [(b"two", 5), (b"longer", 0)], ids=["time", "size"])
def test_another_time_or_size_is_another_stamp(image: Path, content: bytes, later_ns: int) -> None:
    known = fingerprint(image)
    written = image.stat().st_mtime_ns
    image.write_bytes(content)
    os.utime(image, ns=(written, written + later_ns))
    found = fingerprint(image, known)
    assert found.stamp != known.stamp
    assert found.sha256 != known.sha256


def test_a_file_that_was_only_touched_is_the_same(image: Path) -> None:
    known = fingerprint(image)
    os.utime(image, ns=(0, 0))
    assert fingerprint(image, known).sha256 == known.sha256


def test_voxels_beside_their_header_count(tmp_path: Path) -> None:
    for name in ("a.mhd", "a.raw", "b.raw"):
        (tmp_path / name).write_bytes(b"1")
    known = fingerprint(tmp_path / "a.mhd")
    (tmp_path / "b.raw").write_bytes(b"22")
    (tmp_path / "a_label.nii.gz").write_bytes(b"22")
    assert fingerprint(tmp_path / "a.mhd") == known
    (tmp_path / "a.raw").write_bytes(b"22")
    assert fingerprint(tmp_path / "a.mhd").sha256 != known.sha256


def test_a_dicom_folder_is_its_slices_not_what_sammed_writes_there(tmp_path: Path) -> None:
    """One digest, for the fingerprint and for the provenance."""
    for name in ("IM1", "IM2.dcm"):
        (tmp_path / name).write_bytes(b"1")
    known, digest = fingerprint(tmp_path), image_digest(tmp_path)
    assert known.sha256 == digest
    written = (
        "sammed-manifest.jsonl",
        "x_label.nii.gz",
        "x_label.json",
        "x_label.provenance.json",
        ".DS_Store",
    )
    for name in written:
        (tmp_path / name).write_bytes(b"2")
    assert fingerprint(tmp_path) == known
    assert image_digest(tmp_path) == digest
    (tmp_path / "IM3").write_bytes(b"3")
    assert fingerprint(tmp_path).sha256 == image_digest(tmp_path) != digest


def test_the_digest_of_a_folder_covers_names_and_contents(tmp_path: Path) -> None:
    (tmp_path / "1.dcm").write_bytes(b"image")
    digests = [image_digest(tmp_path)]
    (tmp_path / "2.dcm").write_bytes(b"")
    digests.append(image_digest(tmp_path))
    (tmp_path / "1.dcm").write_bytes(b"other")
    digests.append(image_digest(tmp_path))
    (tmp_path / "1.dcm").rename(tmp_path / "3.dcm")
    digests.append(image_digest(tmp_path))
    assert len(set(digests)) == 4


def test_labels_are_their_values_and_shape() -> None:
    voxels = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    assert labels_digest(voxels) == labels_digest(np.asfortranarray(voxels).astype(np.uint16))
    changed = voxels.copy()
    changed[1, 2, 3] = 0
    assert len({labels_digest(each) for each in (voxels, changed, voxels.reshape(2, 4, 3))}) == 3


def test_a_missing_image_raises(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"nowhere\.nii"):
        fingerprint(tmp_path / "nowhere.nii")
