"""Provenance beside a label volume: written, read, and rejected if it is damaged."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from sammed.errors import ConfigError, ExportError
from sammed.storage.fingerprint import sha256_of
from sammed.storage.provenance import (
    Provenance,
    provenance_path,
    read_provenance,
)
from sammed.version import __version__
from sammed_volumes.errors import OutputError
from tests.provenance_writing import write_provenance

DIGEST = hashlib.sha256(b"image").hexdigest()


def full() -> Provenance:
    return Provenance(
        image_file="Schädel 1.nii.gz",
        image_sha256=DIGEST,
        origin="pseudo",
        axis=1,
        annotated_slices=(4, 17),
        method="sap",
        skill_digest="ab" * 32,
        backbone="lite-medsam",
        scores={"lung": 0.93},
        created="2024-05-06T07:08:09+00:00",
    )


@pytest.mark.parametrize(
    "provenance",
    [full(), Provenance("a.nii", DIGEST, "gold"), Provenance("a.nii", DIGEST, "pseudo", 0, ())],
    ids=["all", "least", "no slices"],
)
def test_read_gives_what_was_written(tmp_path: Path, provenance: Provenance) -> None:
    label = tmp_path / "scan_label.nii.gz"
    path = write_provenance(label, provenance)
    assert path == tmp_path / "scan_label.provenance.json"
    assert read_provenance(label) == provenance
    assert list(tmp_path.iterdir()) == [path]


def test_keys_of_the_file(tmp_path: Path) -> None:
    data = json.loads(write_provenance(tmp_path / "x.seg.nrrd", full()).read_text(encoding="utf-8"))
    assert data == {
        "format": "sammed-provenance",
        "version": 1,
        "image": {"file": "Schädel 1.nii.gz", "sha256": DIGEST},
        "origin": "pseudo",
        "method": "sap",
        "skill_digest": "ab" * 32,
        "backbone": "lite-medsam",
        "sammed_version": __version__,
        "axis": 1,
        "annotated_slices": [4, 17],
        "scores": {"lung": 0.93},
        "created": "2024-05-06T07:08:09+00:00",
    }


def test_no_file_is_no_provenance(tmp_path: Path) -> None:
    assert read_provenance(tmp_path / "scan.nii.gz") is None


def test_an_existing_file_is_kept(tmp_path: Path) -> None:
    label = tmp_path / "scan.nii.gz"
    write_provenance(label, full())
    other = Provenance("b.nii", DIGEST, "gold")
    with pytest.raises(OutputError, match="already exists"):
        write_provenance(label, other)
    assert read_provenance(label) == full()
    write_provenance(label, other, overwrite=True)
    assert read_provenance(label) == other


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: text[: len(text) // 2], "damaged"),
        (lambda text: "[]", "damaged"),
        (lambda text: text.replace("sammed-provenance", "other"), "is no provenance"),
        (lambda text: text.replace('"version": 1', '"version": 2'), "later sammed"),
        (lambda text: text.replace('"pseudo"', '"silver"'), "gold or pseudo"),
        (lambda text: text.replace(DIGEST, "12"), "no sha256"),
        (lambda text: text.replace('"axis": 1', '"axis": 7'), "0, 1 or 2"),
        (lambda text: text.replace('"image"', '"picture"'), "damaged"),
    ],
)
def test_damaged_file_is_named(tmp_path: Path, change: Callable[[str], str], words: str) -> None:
    path = write_provenance(tmp_path / "scan.nii.gz", full())
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(ExportError, match=words) as caught:
        read_provenance(tmp_path / "scan.nii.gz")
    assert str(path) in str(caught.value)


def test_slices_need_an_axis() -> None:
    with pytest.raises(ConfigError, match="axis"):
        Provenance("a.nii", DIGEST, "gold", None, (1, 2))


def test_the_path_replaces_the_whole_ending(tmp_path: Path) -> None:
    assert provenance_path(tmp_path / "a.b.seg.nrrd").name == "a.b.provenance.json"
    assert provenance_path(tmp_path / "A.NII.GZ").name == "A.provenance.json"


def test_the_digest_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "1.dcm").write_bytes(b"image")
    assert sha256_of(tmp_path / "1.dcm") == DIGEST
