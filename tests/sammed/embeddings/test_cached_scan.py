"""A scan with a cache: each slice is encoded once in all runs, unless its embedding would differ."""

import dataclasses
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest
import torch
from torch import Tensor

from sammed.backbones.backbone import Backbone
from sammed.backbones.registry import MEDSAM_PIXELS
from sammed.embeddings import scan as scan_module
from sammed.embeddings.cache import EmbeddingCache
from sammed.embeddings.cache_folder import cached_volumes, remove_cached
from sammed.embeddings.scan import Scan
from sammed_volumes.volume import Volume
from tests.conftest import Phantom
from tests.sammed.embeddings.conftest import CountingEncoder

ALL = range(13)


OpenScan: TypeAlias = Callable[..., Scan]


@pytest.fixture
def open_scan(
    scan_of: Callable[..., Scan],
    open_cache: Callable[..., EmbeddingCache],
    phantom: Callable[..., Phantom],
) -> OpenScan:
    """`open_scan(volume, low, high, backbone=..., cache=...)`: the scan as a run of its own would open it."""

    def make(volume: Volume | None = None, *ends: float, **changes: Any) -> Scan:
        settings = {"cache": open_cache(), **changes}
        return scan_of(volume or phantom().volume, *ends, **settings)

    return make


def test_a_second_run_encodes_nothing_and_finds_the_same(
    open_scan: OpenScan, encoder: CountingEncoder
) -> None:
    first = open_scan().embeddings(ALL)
    assert encoder.count == 13
    assert torch.equal(open_scan().embeddings(ALL), first)
    assert torch.equal(open_scan(cache=None).embeddings(ALL), first), "a cache changes no number"
    assert encoder.count == 26, "only the run without a cache encoded"


def test_what_is_missing_is_encoded_and_no_more(open_scan: OpenScan, encoder: CountingEncoder) -> None:
    open_scan().encode([3, 5])
    encoded: list[int] = []
    later = open_scan(progress=encoded.append)
    ready: list[int] = []
    later.encode([3, 4, 5, 6], ready.append)
    assert (encoder.count, len(encoded), len(ready)) == (4, 2, 4)
    later.encode([4, 4, 6])
    assert encoder.count == 4


def test_only_a_few_embeddings_are_held_in_memory(
    open_scan: OpenScan, encoder: CountingEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan_module, "MOST_RECENT", 3)
    scan = open_scan()
    scan.encode(ALL)
    assert len(scan._kept) == 0
    assert scan._disk is not None
    assert sorted(scan._disk._recent) == [10, 11, 12]
    scan.embeddings([0, 11])
    assert sorted(scan._disk._recent) == [0, 11, 12]
    assert encoder.count == 13


def moved(volume: Volume) -> Volume:
    voxels = volume.voxels.copy()
    voxels[20, 20, 6] += 1
    return replace(volume, voxels=voxels)


def test_one_other_voxel_is_another_volume(
    open_scan: OpenScan, encoder: CountingEncoder, phantom: Callable[..., Phantom], folder: Path
) -> None:
    open_scan().encode(ALL)
    open_scan(moved(phantom().volume)).encode(ALL)
    assert encoder.count == 26
    assert [each.entries for each in cached_volumes(folder)] == [13, 13]


@pytest.mark.parametrize(
    "change",
    [
        lambda backbone: replace(backbone, digest="another"),
        lambda backbone: replace(backbone, dtype=torch.bfloat16),
        lambda backbone: replace(backbone, preparation=MEDSAM_PIXELS, digest=backbone.digest),
    ],
    ids=["weights", "precision", "frame"],
)
def test_another_backbone_finds_nothing(
    change: Callable[[Backbone], Backbone],
    open_scan: OpenScan,
    backbone: Backbone,
    encoder: CountingEncoder,
) -> None:
    open_scan().encode([6])
    open_scan(backbone=change(backbone)).encode([6])
    assert encoder.count == 2


def test_another_window_or_version_finds_nothing(
    open_scan: OpenScan, encoder: CountingEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_scan().encode([6])
    for ends in ((-200.0, 300.5), (-200.5, 300.0)):
        open_scan(None, *ends).encode([6])
    assert encoder.count == 3
    monkeypatch.setattr("sammed.embeddings.entry.EMBEDDING_VERSION", 2)
    open_scan().encode([6])
    assert encoder.count == 4


def test_what_a_backbone_ran_on_does_not_matter(
    open_scan: OpenScan, backbone: Backbone, encoder: CountingEncoder
) -> None:
    open_scan().encode([6])
    open_scan(backbone=dataclasses.replace(backbone, runtime="openvino")).encode([6])
    assert encoder.count == 1


@pytest.mark.parametrize(
    "stored",
    [
        lambda voxels: voxels.astype(">i2"),
        lambda voxels: np.asfortranarray(voxels),
        lambda voxels: np.ascontiguousarray(voxels[:, ::-1])[:, ::-1],
    ],
    ids=["big-endian", "Fortran", "a view"],
)
def test_how_voxels_lie_in_memory_makes_no_difference(
    stored: Callable[[np.ndarray], np.ndarray],
    open_scan: OpenScan,
    encoder: CountingEncoder,
    phantom: Callable[..., Phantom],
) -> None:
    volume = phantom().volume
    open_scan(volume).encode(ALL)
    open_scan(replace(volume, voxels=stored(volume.voxels))).encode(ALL)
    assert encoder.count == 13


def test_equal_slices_share_an_entry(
    open_scan: OpenScan, encoder: CountingEncoder, phantom: Callable[..., Phantom], folder: Path
) -> None:
    volume = phantom().volume
    voxels = volume.voxels.copy()
    voxels[:, :, :4] = -1000
    scan = open_scan(replace(volume, voxels=voxels))
    for index in range(4):
        scan.encode([index])
    assert encoder.count == 1
    assert [each.entries for each in cached_volumes(folder)] == [1]


def test_a_damaged_entry_is_encoded_again(
    open_scan: OpenScan, encoder: CountingEncoder, folder: Path
) -> None:
    wanted = open_scan().embeddings([6])
    (path,) = folder.rglob("*.safetensors")
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert torch.equal(open_scan().embeddings([6]), wanted)
    assert encoder.count == 2
    assert path.read_bytes() == content
    assert torch.equal(open_scan().embeddings([6]), wanted)
    assert encoder.count == 2


def test_what_the_cache_can_not_take_is_kept_in_memory(
    open_scan: OpenScan, encoder: CountingEncoder, open_cache: Callable[..., EmbeddingCache]
) -> None:
    scan = open_scan(cache=open_cache(limit_bytes=400_000))  # three entries
    for _ in range(2):
        scan.encode(ALL)
        scan.embeddings(ALL)
    assert encoder.count == 13
    assert len(scan._kept) == 10


def test_what_another_process_evicts_is_encoded_once_more_and_then_kept_in_memory(
    open_scan: OpenScan,
    encoder: CountingEncoder,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scan_module, "MOST_RECENT", 1)
    scan = open_scan()
    scan.encode(ALL)
    for _ in range(2):
        for each in cached_volumes(folder):
            remove_cached(each.path)
        scan.embeddings(ALL)
    assert encoder.count == 13 + 12


def test_the_encoder_is_not_even_loaded_where_nothing_misses(open_scan: OpenScan, backbone: Backbone) -> None:
    def load(_pixels: Tensor) -> Tensor:
        raise AssertionError("the encoder was loaded")

    wanted = open_scan().embeddings([5, 6])
    found = open_scan(backbone=dataclasses.replace(backbone, image_encoder=load)).embeddings([5, 6])
    assert torch.equal(found, wanted)
