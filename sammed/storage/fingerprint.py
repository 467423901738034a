"""Fingerprints: whether an image has changed since it was labeled.

A digest is certain but needs the whole file to be read. A stamp (file sizes and modification times) costs
almost nothing; while the stamp noted with a digest is unchanged, the digest is assumed to be unchanged too.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt

from sammed_volumes.dicom.source import is_dicom_file
from sammed_volumes.file_digest import sha256_of as sha256_of
from sammed_volumes.formats import strip_suffix, suffix_of
from sammed_volumes.picture_folder import is_stack, pictures_in

_HEADERS = (".mhd", ".nhdr", ".hdr")  # their voxels are in separate files


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """The state of an image: the `sha256` of its content, and its stamp."""

    sha256: str
    stamp: str


def fingerprint(image: Path, known: Fingerprint | None = None) -> Fingerprint:
    """Return the fingerprint of a file or of the files of a folder; OSError if it can't be read.

    If the stamp is that of `known`, the content is not read.
    """
    files = _files(image)
    stamp = _stamp(files)  # before reading, so that a change meanwhile gives another stamp next time
    if known is not None and known.stamp == stamp:
        return known
    return Fingerprint(_files_digest(image, files), stamp)


def image_digest(image: Path) -> str:
    """Return the sha256 of an image: of its file, or of the names and digests of its files.

    Of a DICOM folder only the slices count, so labels written beside them don't change the digest.
    """
    return _files_digest(image, _files(image))


def labels_digest(voxels: UInt[np.ndarray, "X Y Z"]) -> str:
    """Return the digest of a label volume's values, the same for every type and file format."""
    digest = hashlib.sha256(str(voxels.shape).encode())
    for plane in voxels:
        digest.update(np.ascontiguousarray(plane, dtype="<u4").tobytes())
    return digest.hexdigest()


def _files_digest(image: Path, files: list[Path]) -> str:
    if files == [image]:
        return sha256_of(image)
    return _digest(f"{file.name} {sha256_of(file)}" for file in files)


def _files(image: Path) -> list[Path]:
    """Return all files that the image consists of, in order."""
    if is_dicom_file(image):  # one file stands for its series
        return _files(image.parent)
    if is_stack(image):
        return list(pictures_in(image))
    if image.is_dir():
        return sorted(path for path in image.iterdir() if path.is_file() and _may_be_dicom(path))
    if suffix_of(image) in _HEADERS or image.suffix.lower() == ".img":
        stem = strip_suffix(image) + "."
        return sorted(path for path in image.parent.iterdir() if path.name.startswith(stem))
    return [image]


def _may_be_dicom(path: Path) -> bool:
    """Whether a file in a DICOM folder may be a slice; manifests and label volumes are not."""
    is_written_by_sammed = suffix_of(path) or path.suffix.lower() in (".json", ".jsonl")
    is_labels = strip_suffix(path).endswith("_label")
    return not (is_written_by_sammed or is_labels or path.name.startswith("."))


def _stamp(files: Iterable[Path]) -> str:
    stats = [(file.name, file.stat()) for file in files]
    return _digest(f"{name} {stat.st_size} {stat.st_mtime_ns}" for name, stat in stats)[:32]


def _digest(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
