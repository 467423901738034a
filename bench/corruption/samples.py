"""The formats: how to write an honest sample of each, where its header ends, and what reads it."""

import gzip
import importlib
import re
import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, JPEG2000Lossless, JPEGBaseline8Bit, RLELossless

from bench.corruption import dicom_files, volumes

Read = Callable[[Path], str]


def _same(path: Path) -> bytes:
    return path.read_bytes()


def _as_it_is(_path: Path, inner: bytes) -> bytes:
    return inner


@dataclass(frozen=True, slots=True)
class Sample:
    """One format. `unpack` returns what a file compresses or signs, `pack` the file with that changed.

    A reader returns a digest of what it read. The header ends where the pattern `header_end` does in the
    unpacked bytes, else after `header_size`. Text may change its length. `words` are names in the header that
    stand for one another. `notices` are the kinds of damage after which no other result is right. `module` is
    to be imported once, before the processes that read are forked.
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
    notices: tuple[str, ...] = ("cut",)
    module: str = ""

    def length_of_header(self, data: bytes) -> int:
        """Return how many bytes of the unpacked data are header."""
        found = re.search(self.header_end, data, re.DOTALL) if self.header_end else None
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


_BOTH, _LABELS = (volumes.read_as_volume, volumes.read_as_labels), (volumes.read_as_labels,)
_RECORDS_MODULE = "bench.corruption.records"
_CHECKED = ("cut", "flip")
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
_DEEP = b"[" * 50_000
_NRRD: Mapping[str, Any] = {"header_end": rb"\n\n", "is_text": True, "words": _NRRD_WORDS}
_META: Mapping[str, Any] = {
    "header_end": rb"ElementDataFile = \S+\n",
    "is_text": True,
    "words": _META_WORDS,
}
_PNG: Mapping[str, Any] = {"pack": _with_checksums, "notices": _CHECKED}
_DICOM: Mapping[str, Any] = {"header_end": b"\xe0\x7f\x10\x00"}
_JSON: Mapping[str, Any] = {"is_text": True, "words": (*_JSON_WORDS, _DEEP)}


def _series(name: str, syntax: UID, **fields: Any) -> Sample:
    write = partial(dicom_files.write_encoded, syntax=syntax)
    return Sample(name, "slice0.dcm", write, (volumes.read_folder,), **_DICOM, **fields)


def _record(name: str, file_name: str, write: str, read: str, **fields: Any) -> Sample:
    """A sample of `records`, which needs torch: a process with it takes ten times as long to fork."""
    writer, reader = partial(_call, write), partial(_call, read)
    return Sample(name, file_name, writer, (reader,), module=_RECORDS_MODULE, **{**_JSON, **fields})


def _tensors(name: str, key: str, write: str, read: str) -> Sample:
    packing = {"unpack": partial(_call, "header_of", key=key), "pack": partial(_call, "with_header", key=key)}
    return _record(name, "a.safetensors", write, read, notices=_CHECKED, **packing)


def _call(function: str, *arguments: Any, **named: Any) -> Any:
    return getattr(importlib.import_module(_RECORDS_MODULE), function)(*arguments, **named)


_VOLUMES = (
    Sample("nifti", "a.nii", volumes.write_nifti, _BOTH, 352),
    Sample("nifti-2", "a.nii", volumes.write_nifti_2, _BOTH, 544),
    Sample(
        *("nifti-gz", "a.nii.gz", volumes.write_nifti, _BOTH, 352),
        unpack=_gunzip,
        pack=_gzip,
        notices=_CHECKED,
    ),
    Sample("nifti-pair", "a.hdr", volumes.write_nifti_pair, _BOTH, 348),
    Sample("analyze", "a.hdr", volumes.write_analyze, _BOTH, 348),
    Sample("nrrd", "a.nrrd", volumes.write_raw_by_itk, _BOTH, **_NRRD),
    Sample("nrrd-ascii", "a.nrrd", partial(volumes.write_by_pynrrd, encoding="ascii"), _BOTH, **_NRRD),
    Sample("nrrd-bzip2", "a.nrrd", partial(volumes.write_by_pynrrd, encoding="bzip2"), _BOTH, **_NRRD),
    Sample("nhdr", "a.nhdr", volumes.write_raw_by_itk, _BOTH, **_NRRD),
    Sample("seg-nrrd", "a.seg.nrrd", volumes.write_own_labels, _BOTH, **_NRRD),
    Sample("layers", "a.seg.nrrd", volumes.write_layers, _LABELS, **_NRRD),
    Sample("metaimage", "a.mha", volumes.write_raw_by_itk, _BOTH, **_META),
    Sample("metaimage-z", "a.mha", volumes.write_by_itk, _BOTH, **_META),
    Sample("mhd", "a.mhd", volumes.write_raw_by_itk, _BOTH, **_META),
)
_PICTURES = (
    Sample("png", "a.png", volumes.write_picture, _BOTH, 60, **_PNG),
    Sample("colors", "a.png", volumes.write_colors, (volumes.read_as_colors,), **_PNG),
    Sample("slices", "slice_2.png", volumes.write_slices, (volumes.read_folder,), 60, **_PNG),
    Sample("jpeg", "a.jpg", volumes.write_picture, _BOTH, 640),
    Sample("tiff", "a.tif", partial(volumes.write_pages, compression="tiff_deflate"), _BOTH),
    Sample("tiff-raw", "a.tif", partial(volumes.write_pages, compression="raw"), _BOTH),
)
_DICOM_FILES = (
    Sample("dicom", "slice0.dcm", dicom_files.write_series, (volumes.read_folder,), **_DICOM),
    _series("dicom-rle", RLELossless),
    _series("dicom-jpeg", JPEGBaseline8Bit),
    _series("dicom-j2k", JPEG2000Lossless),
    _series(
        *("dicom-deflate", DeflatedExplicitVRLittleEndian),
        unpack=dicom_files.inflated,
        pack=dicom_files.deflated,
    ),
    Sample("dicom-multi", "a.dcm", dicom_files.write_enhanced, (volumes.read_as_volume,), **_DICOM),
    Sample("dicom-seg", "a.dcm", dicom_files.write_segmentation, _LABELS, **_DICOM),
    Sample("label-map", "a.dcm", dicom_files.write_label_map, _LABELS, **_DICOM),
    Sample("rtstruct", "contours.dcm", dicom_files.write_contours, _LABELS),
    Sample(
        *("zip", "a.zip", dicom_files.write_archive, (volumes.read_as_volume,)),
        header_end=rb"PK\x05\x06.{18}",
        unpack=dicom_files.directory_first,
        pack=dicom_files.directory_last,
        notices=_CHECKED,
    ),
)
_RECORDS = (
    _record("prompts", "prompts.json", "write_prompts", "read_as_prompts"),
    # A line of the manifest that a killed run left half written is skipped.
    _record("manifest", "manifest.jsonl", "write_manifest", "read_as_manifest", notices=()),
    _record("set", "set.json", "write_labeled_set", "read_as_set"),
    _record("monai-list", "data.json", "write_monai_list", "read_as_monai"),
    _record("nnunet-set", "dataset.json", "write_nnunet_set", "read_as_nnunet"),
    _record("provenance", "a.provenance.json", "write_provenance_of_labels", "read_as_provenance"),
    _tensors("skill", "sammed_skill", "write_small_skill", "read_as_skill"),
    _tensors("student", "sammed_student", "write_small_student", "read_as_student"),
)
_SIDECAR = Sample("sidecar", "a.json", volumes.write_sidecar, (volumes.read_labels_of_sidecar,), **_JSON)
SAMPLES: Mapping[str, Sample] = MappingProxyType(
    {sample.name: sample for sample in (*_VOLUMES, _SIDECAR, *_PICTURES, *_DICOM_FILES, *_RECORDS)}
)
