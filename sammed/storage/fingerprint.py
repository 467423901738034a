"""Fingerprints: whether an image has changed since it was labeled.

A digest says so for certain and costs reading the file. A stamp (sizes and times of writing) costs next to
nothing; where it is the one that was noted with a digest, the digest is taken to be still the same.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt

from sammed_volumes.dicom.headers import DICOM_SUFFIXES
from sammed_volumes.file_digest import sha256_of as sha256_of
from sammed_volumes.formats import strip_suffix, suffix_of
from sammed_volumes.picture_folder import is_stack, pictures_in

_HEADERS = (".mhd", ".nhdr", ".hdr")  # voxels lie in files beside them


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What an image held when it was looked at: `sha256` of its content, and the stamp of that time."""

    sha256: str
    stamp: str


def fingerprint(image: Path, known: Fingerprint | None = None) -> Fingerprint:
    """The fingerprint of a file, or of the files of a folder; OSError where it can't be read.

    With the stamp of `known` nothing is read.
    """
    files = _files(image)
    stamp = _stamp(files)  # before reading: what changes meanwhile has another stamp next time
    if known is not None and known.stamp == stamp:
        return known
    return Fingerprint(_files_digest(image, files), stamp)


def image_digest(image: Path) -> str:
    """The sha256 of an image: of the file, or of the names and digests of the files that it is made of.

    A DICOM folder is made of its slices alone, so that labels beside them don't change it.
    """
    return _files_digest(image, _files(image))


def labels_digest(voxels: UInt[np.ndarray, "X Y Z"]) -> str:
    """Of a label volume's values, whatever type and file format they are kept in."""
    digest = hashlib.sha256(str(voxels.shape).encode())
    for plane in voxels:
        digest.update(np.ascontiguousarray(plane, dtype="<u4").tobytes())
    return digest.hexdigest()


def _files_digest(image: Path, files: list[Path]) -> str:
    if files == [image]:
        return sha256_of(image)
    return _digest(f"{file.name} {sha256_of(file)}" for file in files)


def _files(image: Path) -> list[Path]:
    """All files that the image is made of, in order."""
    if image.is_file() and image.suffix.lower() in DICOM_SUFFIXES:  # one file stands for its series
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
    """Whether a file of a DICOM folder is of the series: manifests and label volumes come and go there."""
    is_ours = suffix_of(path) or path.suffix.lower() in (".json", ".jsonl")
    is_labels = strip_suffix(path).endswith("_label")
    return not (is_ours or is_labels or path.name.startswith("."))


def _stamp(files: Iterable[Path]) -> str:
    stats = [(file.name, file.stat()) for file in files]
    return _digest(f"{name} {stat.st_size} {stat.st_mtime_ns}" for name, stat in stats)[:32]


def _digest(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
