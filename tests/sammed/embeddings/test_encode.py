"""Encoding slices: order, batches, precision, and the overlap on CUDA."""

import copy
import dataclasses
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from sammed.backbones.backbone import Backbone
from sammed.embeddings import encode as encode_module
from sammed.embeddings.encode import (
    ahead,
    halves_on_cpu,
    iterate_embeddings,
    usual_batch_size,
)
from sammed.errors import ConfigError

SHAPE = (40, 30)


def slices(count: int) -> list[np.ndarray]:
    return list(np.random.default_rng(0).random((count, *SHAPE), dtype=np.float32))


def encode(backbone: Backbone, images: list[np.ndarray], batch_size: int = 1) -> Tensor:
    """The embeddings of all images in one tensor."""
    frame = backbone.frame(*SHAPE, (1.0, 1.0))
    return torch.cat(list(iterate_embeddings(backbone, images, frame, batch_size)))


@pytest.mark.parametrize("batch_size", [1, 2, 3, 7])
def test_batches_change_nothing(batch_size: int, tiny_backbone: Backbone) -> None:
    frame = tiny_backbone.frame(*SHAPE, (1.0, 1.0))
    images = slices(5)
    one_by_one = torch.cat([tiny_backbone.encode(tiny_backbone.prepare(i, frame)[None]) for i in images])
    together = encode(tiny_backbone, images, batch_size)
    assert together.shape == (5, 256, 16, 16)
    torch.testing.assert_close(together.float(), one_by_one, atol=2e-3, rtol=2e-3)


def test_embeddings_are_halves_near_those_of_the_encoder(tiny_backbone: Backbone) -> None:
    frame = tiny_backbone.frame(*SHAPE, (1.0, 1.0))
    full = torch.cat([tiny_backbone.encode(tiny_backbone.prepare(i, frame)[None]) for i in slices(2)])
    half = encode(tiny_backbone, slices(2))
    assert (full.dtype, half.dtype) == (torch.float32, torch.float16)
    assert torch.equal(half, full.half())


def test_slices_are_read_only_when_their_batch_is_due(tiny_backbone: Backbone) -> None:
    read = 0

    def reading() -> Iterator[np.ndarray]:
        nonlocal read
        for image in slices(6):
            read += 1
            yield image

    batches = iterate_embeddings(tiny_backbone, reading(), tiny_backbone.frame(*SHAPE, (1.0, 1.0)), 2)
    assert read == 0
    assert next(batches).shape[0] == 2
    assert read == 2


def test_color_slices_are_encoded_in_color(tiny_backbone: Backbone) -> None:
    gray = slices(1)[0]
    color = np.stack([gray, 1 - gray, gray], axis=-1)
    both = encode(tiny_backbone, [gray, color, np.stack([gray] * 3, axis=-1)])
    assert not torch.allclose(both[0], both[1])
    torch.testing.assert_close(both[0], both[2])


def test_no_slices_give_no_embeddings(tiny_backbone: Backbone) -> None:
    frame = tiny_backbone.frame(*SHAPE, (1.0, 1.0))
    assert list(iterate_embeddings(tiny_backbone, [], frame)) == []
    assert list(halves_on_cpu(tiny_backbone, [], frame)) == []


def test_a_batch_of_nothing_is_refused(tiny_backbone: Backbone) -> None:
    with pytest.raises(ConfigError, match="can't have 0 slices"):
        encode(tiny_backbone, slices(1), 0)


def test_items_made_ahead_come_in_order_and_one_early() -> None:
    made: list[int] = []

    def source() -> Iterator[int]:
        for item in range(5):
            made.append(item)
            yield item

    items = ahead(source())
    assert next(items) == 0
    assert list(items) == [1, 2, 3, 4] == made[1:]
    assert list(ahead([])) == []


def test_what_fails_ahead_fails_where_it_is_asked_for() -> None:
    def source() -> Iterator[int]:
        yield 1
        raise ConfigError("no second one")

    items = ahead(source())
    assert next(items) == 1
    with pytest.raises(ConfigError, match="no second one"):
        next(items)


def test_leaving_early_leaves_no_thread_behind() -> None:
    before = threading.active_count()
    items = ahead(iter(range(100)))
    next(items)
    items.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before


def test_a_batch_is_as_many_slices_as_keep_a_gpu_busy(tiny_backbone: Backbone) -> None:
    def on(device: str, size: int) -> Any:  # no CUDA is needed to ask
        return SimpleNamespace(device=torch.device(device), image_size=size)

    assert usual_batch_size(tiny_backbone) == 1
    assert [usual_batch_size(on("cuda", size)) for size in (256, 1024)] == [8, 1]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@pytest.mark.parametrize("count", [1, 8, 19])
def test_on_cuda_overlapping_changes_nothing(count: int, tiny_backbone: Backbone) -> None:
    encoder = copy.deepcopy(tiny_backbone.image_encoder)
    assert isinstance(encoder, torch.nn.Module)
    encoder.to("cuda")
    on_cuda = dataclasses.replace(
        tiny_backbone,
        device=torch.device("cuda"),
        image_encoder=encoder,
        prompt_encoder=copy.deepcopy(tiny_backbone.prompt_encoder).to("cuda"),
        mask_decoder=copy.deepcopy(tiny_backbone.mask_decoder).to("cuda"),
    )
    frame = tiny_backbone.frame(*SHAPE, (1.0, 1.0))
    wanted = torch.stack(list(halves_on_cpu(tiny_backbone, slices(count), frame)))
    found = torch.stack(list(halves_on_cpu(on_cuda, slices(count), frame)))
    torch.testing.assert_close(found, wanted, atol=5e-3, rtol=5e-3)


@pytest.mark.parametrize("batch_size", [1, 3])
def test_one_by_one_they_are_what_they_are_together(
    batch_size: int, tiny_backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encode_module, "usual_batch_size", lambda _backbone: batch_size)
    frame = tiny_backbone.frame(*SHAPE, (1.0, 1.0))
    together = encode(tiny_backbone, slices(4))
    singly = list(halves_on_cpu(tiny_backbone, slices(4), frame))
    assert all(each.untyped_storage().nbytes() == each.numel() * 2 for each in singly), "one holds a batch"
    torch.testing.assert_close(torch.stack(singly), together, atol=2e-3, rtol=2e-3)
