"""What no cache keeps: first in memory, then in a file that has no name."""

import tempfile
from pathlib import Path

import pytest
import torch
from torch import Tensor

from sammed.embeddings.scratch import Scratch


def embedding(number: int) -> Tensor:
    return torch.randn(256, 4, 4, generator=torch.Generator().manual_seed(number)).half()


def test_what_was_put_is_found_in_memory_and_in_the_file() -> None:
    scratch = Scratch(2)
    for number in (3, 1, 7, 5):
        scratch.put(number, embedding(number))
    assert len(scratch) == 4
    assert 2 not in scratch
    for number in (5, 3, 7, 1, 7):
        assert number in scratch
        assert torch.equal(scratch.get(number), embedding(number))
    assert len(scratch._memory) == 2
    with pytest.raises(KeyError):
        scratch.get(2)


def test_the_file_has_no_name_and_few_slices_need_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    scratch = Scratch(2)
    for number in range(2):
        scratch.put(number, embedding(number))
    assert scratch._file is None
    scratch.put(2, embedding(2))
    assert scratch._file is not None
    assert list(tmp_path.iterdir()) == []


def test_without_room_for_a_file_all_stay_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []

    def fail(**_settings: object) -> None:
        tries.append(1)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", fail)
    scratch = Scratch(1)
    for number in range(4):
        scratch.put(number, embedding(number))
    assert all(torch.equal(scratch.get(number), embedding(number)) for number in range(4))
    assert tries == [1]
