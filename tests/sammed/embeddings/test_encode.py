import copy
import dataclasses
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from sammed.backbones.backbone import Backbone
from sammed.embeddings import encode
from sammed.embeddings.encode import (
    ahead,
    encode_slices,
    halves_on_cpu,
    iterate_embeddings,
    usual_batch_size,
)
from sammed.errors import ConfigError

SHAPE = (40, 30)


def slices(count: int) -> list[np.ndarray]:
    return list(np.random.default_rng(0).random((count, *SHAPE), dtype=np.float32))


@pytest.mark.parametrize("batch_size", [1, 2, 3, 7])
def test_batches_change_nothing(batch_size: int, tiny_backbone: Backbone) -> None:
    frame = tiny_backbone.frame(*SHAPE, (1.0, 1.0))
    images = slices(5)
    one_by_one = torch.cat([tiny_backbone.encode(tiny_backbone.prepare(i, frame)[None]) for i in images])
    together = encode_slices(tiny_backbone, images, frame, batch_size)
    assert together.shape == (5, 256, 16, 16)
    torch.testing.assert_close(together, one_by_one, atol=1e-4, rtol=1e-4)


def test_progress_counts_the_slices_that_are_done(tiny_backbone: Backbone) -> None:
    heard: list[int] = []
    frame = tiny_backbone.frame(*SHAPE, (1.0, 1.0))
    encode_slices(tiny_backbone, slices(5), frame, 2, progress=heard.append)
    assert heard == [2, 4, 5]


def test_half_precision_takes_half_the_memory_and_is_near(tiny_backbone: Backbone) -> None:
    frame = tiny_backbone.frame(*SHAPE, (1.0, 1.0))
    full = encode_slices(tiny_backbone, slices(2), frame)
    half = encode_slices(tiny_backbone, slices(2), frame, half=True)
    assert (full.dtype, half.dtype) == (torch.float32, torch.float16)
    torch.testing.assert_close(half.float(), full, atol=2e-3, rtol=2e-3)


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
    frame = tiny_backbone.frame(*SHAPE, (1.0, 1.0))
    gray = slices(1)[0]
    color = np.stack([gray, 1 - gray, gray], axis=-1)
    both = encode_slices(tiny_backbone, [gray, color, np.stack([gray] * 3, axis=-1)], frame)
    assert not torch.allclose(both[0], both[1])
    torch.testing.assert_close(both[0], both[2])


@pytest.mark.parametrize("half", [False, True])
def test_no_slices_give_no_embeddings(half: bool, tiny_backbone: Backbone) -> None:
    frame = tiny_backbone.frame(*SHAPE, (1.0, 1.0))
    none = encode_slices(tiny_backbone, [], frame, half=half)
    assert none.shape == (0, 256, 16, 16)
    assert none.dtype == (torch.float16 if half else torch.float32)


def test_a_batch_of_nothing_is_refused(tiny_backbone: Backbone) -> None:
    with pytest.raises(ConfigError, match="batch of 0 slices"):
        encode_slices(tiny_backbone, slices(1), tiny_backbone.frame(*SHAPE, (1.0, 1.0)), 0)


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
    on_cuda = dataclasses.replace(
        tiny_backbone,
        device=torch.device("cuda"),
        image_encoder=copy.deepcopy(tiny_backbone.image_encoder).to("cuda"),
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
    monkeypatch.setattr(encode, "usual_batch_size", lambda _backbone: batch_size)
    frame = tiny_backbone.frame(*SHAPE, (1.0, 1.0))
    together = encode_slices(tiny_backbone, slices(4), frame, half=True)
    singly = list(halves_on_cpu(tiny_backbone, slices(4), frame))
    assert all(each.untyped_storage().nbytes() == each.numel() * 2 for each in singly), "one holds a batch"
    torch.testing.assert_close(torch.stack(singly), together, atol=2e-3, rtol=2e-3)
