"""The formats: how to write an honest sample of each, where its header ends, and what reads it."""

import gzip
import re
import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from bench.corruption import records, volumes

Read = Callable[[Path], None]


def _same(path: Path) -> bytes:
    return path.read_bytes()


def _as_it_is(_path: Path, inner: bytes) -> bytes:
    return inner


@dataclass(frozen=True, slots=True)
class Sample:
    """One format. `unpack` returns what a file compresses or signs, `pack` the file with that changed.

    The header ends where the pattern `header_end` does in the unpacked bytes, else after `header_size`. Text
    may change its length. `words` are names in the header that stand for one another.
    """

    name: str
    file_name: str
    write: Callable[[Path], None]
    readers: tuple[Read, ...]
    header_size: int = 1 << 20
    header_end: bytes = b""
    is_text: bool = False
    words: tuple[bytes, ...] = ()
    unpack: Callable[[Path], bytes] = _same
    pack: Callable[[Path, bytes], bytes] = _as_it_is

    def length_of_header(self, data: bytes) -> int:
        """Return how many bytes of the unpacked data are header."""
        found = re.search(self.header_end, data) if self.header_end else None
        return min(found.end() if found else self.header_size, len(data))


def _gunzip(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes())


def _gzip(_path: Path, inner: bytes) -> bytes:
    return gzip.compress(inner)


def _with_checksums(_path: Path, inner: bytes) -> bytes:
    """Correct the checksums of a PNG, so that its decoder sees the damage."""
    data, at = bytearray(inner), 8
    while at + 12 <= len(data):
        end = at + 8 + struct.unpack_from(">I", data, at)[0]
        if end + 4 > len(data):
            break
        struct.pack_into(">I", data, end, zlib.crc32(data[at + 4 : end]))
        at = end + 4
    return bytes(data)


_BOTH = (volumes.read_as_volume, volumes.read_as_labels)
_NRRD_WORDS = (b"raw", b"gzip", b"bzip2", b"hex", b"ascii", b"short", b"double", b"block", b"uint64", b"none")
_META_WORDS = (
    b"MET_SHORT",
    b"MET_DOUBLE",
    b"MET_UCHAR",
    b"MET_LONG_LONG",
    b"True",
    b"False",
    b"LOCAL",
    b"LIST",
)
_JSON_WORDS = (b"null", b"true", b"[]", b"{}", b'""', b'"voxel"', b'"ras_mm"', b'"hu"', b'"gold"', b'"done"')

_NRRD_END, _META_END, _DICOM_END = rb"\n\n", rb"ElementDataFile = \S+\n", b"\xe0\x7f\x10\x00"

_ALL = (
    Sample("nifti", "a.nii", volumes.write_nifti, _BOTH, 352),
    Sample("nifti-gz", "a.nii.gz", volumes.write_nifti, _BOTH, 352, unpack=_gunzip, pack=_gzip),
    Sample(
        "nrrd",
        "a.nrrd",
        volumes.write_raw_by_itk,
        _BOTH,
        header_end=_NRRD_END,
        is_text=True,
        words=_NRRD_WORDS,
    ),
    Sample(
        "seg-nrrd",
        "a.seg.nrrd",
        volumes.write_own_labels,
        _BOTH,
        header_end=_NRRD_END,
        is_text=True,
        words=_NRRD_WORDS,
    ),
    Sample(
        "metaimage",
        "a.mha",
        volumes.write_raw_by_itk,
        _BOTH,
        header_end=_META_END,
        is_text=True,
        words=_META_WORDS,
    ),
    Sample(
        "metaimage-z",
        "a.mha",
        volumes.write_by_itk,
        _BOTH,
        header_end=_META_END,
        is_text=True,
        words=_META_WORDS,
    ),
    Sample("dicom", "slice0.dcm", volumes.write_series, (volumes.read_as_series,), header_end=_DICOM_END),
    Sample(
        "dicom-seg", "a.dcm", volumes.write_segmentation, (volumes.read_as_labels,), header_end=_DICOM_END
    ),
    Sample("png", "a.png", volumes.write_picture, _BOTH, 60, pack=_with_checksums),
    Sample("jpeg", "a.jpg", volumes.write_picture, _BOTH, 640),
    Sample("tiff", "a.tif", volumes.write_pages, _BOTH),
    Sample("analyze", "a.hdr", volumes.write_analyze, _BOTH, 348),
    Sample(
        "prompts",
        "prompts.json",
        records.write_prompts,
        (records.read_as_prompts,),
        is_text=True,
        words=_JSON_WORDS,
    ),
    Sample(
        "manifest",
        "manifest.jsonl",
        records.write_manifest,
        (records.read_as_manifest,),
        is_text=True,
        words=_JSON_WORDS,
    ),
    Sample(
        "set", "set.json", records.write_labeled_set, (records.read_as_set,), is_text=True, words=_JSON_WORDS
    ),
    Sample(
        *("skill", "a.safetensors", records.write_small_skill, (records.read_as_skill,)),
        is_text=True,
        words=_JSON_WORDS,
        unpack=records.skill_header,
        pack=records.with_skill_header,
    ),
    Sample(
        *("sidecar", "a.json", volumes.write_sidecar, (volumes.read_labels_of_sidecar,)),
        is_text=True,
        words=_JSON_WORDS,
    ),
)
SAMPLES: Mapping[str, Sample] = MappingProxyType({sample.name: sample for sample in _ALL})
