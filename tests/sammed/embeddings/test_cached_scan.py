"""A scan with a cache: a slice is encoded once in all runs, and whatever could change an embedding tells."""

import dataclasses
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from sammed.backbones.backbone import Backbone
from sammed.backbones.registry import MEDSAM_PIXELS
from sammed.embeddings import scan as scan_module
from sammed.embeddings.cache import EmbeddingCache
from sammed.embeddings.cache_folder import remove_shelf, shelves
from sammed.embeddings.scan import Scan
from sammed_volumes.volume import Volume

ALL = range(13)


@pytest.fixture
def scan(
    scan_of: Callable[..., Scan],
    backbone: Backbone,
    open_cache: Callable[..., EmbeddingCache],
    phantom: Callable[..., object],
) -> Callable[..., Scan]:
    """`encoded(volume, low, high, backbone=..., cache=...)`: the scan as a run of its own would open it."""

    def make(volume: Volume | None = None, *ends: float, **changes: object) -> Scan:
        scan = scan_of(volume or phantom().volume, *ends)
        settings = {"backbone": backbone, "cache": open_cache(), **changes}
        return Scan(scan, **settings)  # type: ignore[arg-type]

    return make


def test_a_second_run_encodes_nothing_and_finds_the_same(
    scan: Callable[..., Scan], encoder: nn.Module
) -> None:
    first = scan().embeddings(ALL)
    assert encoder.count == 13
    assert torch.equal(scan().embeddings(ALL), first)
    assert torch.equal(scan(cache=None).embeddings(ALL), first), "a cache changes no number"
    assert encoder.count == 26, "only the run without a cache encoded"


def test_what_is_missing_is_encoded_and_no_more(scan: Callable[..., Scan], encoder: nn.Module) -> None:
    scan().encode([3, 5])
    heard: list[int] = []
    later = scan(progress=heard.append)
    told: list[int] = []
    later.encode([3, 4, 5, 6], told.append)
    assert (encoder.count, len(heard), len(told)) == (4, 2, 4)
    later.encode([4, 4, 6])
    assert encoder.count == 4


def test_no_more_than_a_few_are_held_in_memory(
    scan: Callable[..., Scan], encoder: nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan_module, "MOST_RECENT", 3)
    scan = scan()
    scan.encode(ALL)
    assert len(scan._kept) == 0
    assert sorted(scan._disk._recent) == [10, 11, 12]
    scan.embeddings([0, 11])
    assert sorted(scan._disk._recent) == [0, 11, 12]
    assert encoder.count == 13


def moved(volume: Volume) -> Volume:
    voxels = volume.voxels.copy()
    voxels[20, 20, 6] += 1
    return replace(volume, voxels=voxels)


def test_one_other_voxel_is_another_volume(
    scan: Callable[..., Scan], encoder: nn.Module, phantom: Callable[..., object], folder: Path
) -> None:
    scan().encode(ALL)
    scan(moved(phantom().volume)).encode(ALL)
    assert encoder.count == 26
    assert [shelf.entries for shelf in shelves(folder)] == [13, 13]


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
    scan: Callable[..., Scan],
    backbone: Backbone,
    encoder: nn.Module,
) -> None:
    scan().encode([6])
    scan(backbone=change(backbone)).encode([6])
    assert encoder.count == 2


def test_another_window_or_version_finds_nothing(
    scan: Callable[..., Scan], encoder: nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan().encode([6])
    for ends in ((-200.0, 300.5), (-200.5, 300.0)):
        scan(None, *ends).encode([6])
    assert encoder.count == 3
    monkeypatch.setattr("sammed.embeddings.entry.EMBEDDING_VERSION", 2)
    scan().encode([6])
    assert encoder.count == 4


def test_what_a_backbone_ran_on_does_not_matter(
    scan: Callable[..., Scan], backbone: Backbone, encoder: nn.Module
) -> None:
    scan().encode([6])
    scan(backbone=dataclasses.replace(backbone, runtime="openvino")).encode([6])
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
    scan: Callable[..., Scan],
    encoder: nn.Module,
    phantom: Callable[..., object],
) -> None:
    volume = phantom().volume
    scan(volume).encode(ALL)
    scan(replace(volume, voxels=stored(volume.voxels))).encode(ALL)
    assert encoder.count == 13


def test_equal_slices_share_an_entry(
    scan: Callable[..., Scan], encoder: nn.Module, phantom: Callable[..., object], folder: Path
) -> None:
    volume = phantom().volume
    voxels = volume.voxels.copy()
    voxels[:, :, :4] = -1000
    scan = scan(replace(volume, voxels=voxels))
    for index in range(4):
        scan.encode([index])
    assert encoder.count == 1
    assert [shelf.entries for shelf in shelves(folder)] == [1]


def test_a_damaged_entry_is_made_again(scan: Callable[..., Scan], encoder: nn.Module, folder: Path) -> None:
    wanted = scan().embeddings([6])
    (path,) = folder.rglob("*.safetensors")
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert torch.equal(scan().embeddings([6]), wanted)
    assert encoder.count == 2
    assert path.read_bytes() == content
    assert torch.equal(scan().embeddings([6]), wanted)
    assert encoder.count == 2


def test_what_the_cache_can_not_take_is_kept_in_memory(
    scan: Callable[..., Scan], encoder: nn.Module, open_cache: Callable[..., EmbeddingCache]
) -> None:
    scan = scan(cache=open_cache(limit_bytes=400_000))  # three entries
    for _ in range(2):
        scan.encode(ALL)
        scan.embeddings(ALL)
    assert encoder.count == 13
    assert len(scan._kept) == 10


def test_what_another_process_evicts_is_encoded_once_more_and_then_kept_in_memory(
    scan: Callable[..., Scan],
    encoder: nn.Module,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scan_module, "MOST_RECENT", 1)
    scan = scan()
    scan.encode(ALL)
    for _ in range(2):
        for shelf in shelves(folder):
            remove_shelf(shelf.path)
        scan.embeddings(ALL)
    assert encoder.count == 13 + 12


def test_the_encoder_is_not_even_loaded_where_nothing_misses(
    scan: Callable[..., Scan], backbone: Backbone
) -> None:
    def load() -> None:
        raise AssertionError("the encoder was loaded")

    wanted = scan().embeddings([5, 6])
    found = scan(backbone=dataclasses.replace(backbone, image_encoder=load)).embeddings([5, 6])
    assert torch.equal(found, wanted)
