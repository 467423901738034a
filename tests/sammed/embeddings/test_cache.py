"""The cache on disk: what is kept, what is evicted, what is noticed, and that work goes on without it."""

import logging
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from sammed.backbones.folders import cache_folder
from sammed.embeddings import cache as cache_module
from sammed.embeddings import cache_folder as cache_folder_module
from sammed.embeddings.cache import EmbeddingCache
from sammed.embeddings.cache_config import CacheConfig, configured
from sammed.embeddings.cache_folder import cached_volumes
from sammed.embeddings.entry import DamagedEntryError, pack, unpack
from sammed.errors import ConfigError

ENTRY_BYTES = len(pack("", torch.zeros(256, 16, 16).half()))
NOBODY = 65534  # a user without rights
VOLUMES = [letter * 64 for letter in "abcd"]


def key(number: int) -> str:
    return f"{number:064x}"


def embedding(number: int) -> Tensor:
    return torch.randn(256, 16, 16, generator=torch.Generator().manual_seed(number)).half()


def entry(folder: Path, volume: str = VOLUMES[0], number: int = 0) -> Path:
    return folder / volume / f"{key(number)}.safetensors"


def test_what_was_put_is_found_by_whoever_opens_the_cache(open_cache: Callable[..., EmbeddingCache]) -> None:
    first = open_cache()
    assert first.get(VOLUMES[0], key(1), 16) is None
    assert not first.holds(VOLUMES[0], key(1))
    assert first.put(VOLUMES[0], key(1), embedding(1))
    second = open_cache()
    assert second.holds(VOLUMES[0], key(1))
    found = second.get(VOLUMES[0], key(1), 16)
    assert found is not None
    assert torch.equal(found, embedding(1))
    assert second.get(VOLUMES[0], key(2), 16) is None
    assert second.get(VOLUMES[1], key(1), 16) is None


def test_an_embedding_takes_little_more_than_its_numbers() -> None:
    assert 256 * 16 * 16 * 2 < ENTRY_BYTES < 256 * 16 * 16 * 2 + 300


@pytest.mark.parametrize("place", [0, 9, 100, ENTRY_BYTES // 2, ENTRY_BYTES - 1])
def test_no_flipped_bit_goes_unnoticed(place: int) -> None:
    content = bytearray(pack(key(1), embedding(1)))
    content[place] ^= 1
    with pytest.raises(DamagedEntryError):
        unpack(key(1), bytes(content), 16)


@pytest.mark.parametrize("length", [0, 7, 8, 50, 300, ENTRY_BYTES - 1])
def test_no_cut_goes_unnoticed(length: int) -> None:
    with pytest.raises(DamagedEntryError):
        unpack(key(1), pack(key(1), embedding(1))[:length], 16)


def test_an_entry_under_anothers_name_or_of_another_size_is_none() -> None:
    content = pack(key(1), embedding(1))
    with pytest.raises(DamagedEntryError):
        unpack(key(2), content, 16)
    with pytest.raises(DamagedEntryError):
        unpack(key(1), content, 64)


def test_a_damaged_entry_is_said_once_and_made_again(
    folder: Path, open_cache: Callable[..., EmbeddingCache], caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(2):
        open_cache().put(VOLUMES[0], key(number), embedding(number))
        entry(folder, number=number).write_bytes(b"\0" * ENTRY_BYTES)
    cache = open_cache()
    assert [cache.get(VOLUMES[0], key(number), 16) for number in range(2)] == [None, None]
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "has a damaged entry; the slice is encoded again" in caplog.text
    assert cache.put(VOLUMES[0], key(0), embedding(0))
    found = cache.get(VOLUMES[0], key(0), 16)
    assert found is not None
    assert torch.equal(found, embedding(0))


def test_the_volume_that_was_not_used_for_longest_goes_first(
    folder: Path, open_cache: Callable[..., EmbeddingCache]
) -> None:
    limit = {"limit_bytes": 6 * ENTRY_BYTES}
    for place, volume in enumerate(VOLUMES[:3]):
        for number in range(2):
            assert open_cache(**limit).put(volume, key(number), embedding(number))
        os.utime(folder / volume, (place, place))
    cache = open_cache(**limit)
    assert cache.get(VOLUMES[0], key(0), 16) is not None  # now the second volume is the oldest
    assert cache.put(VOLUMES[3], key(0), embedding(0))
    assert [each.path.name[0] for each in cached_volumes(folder)] == ["c", "a", "d"]
    assert sum(each.bytes for each in cached_volumes(folder)) <= limit["limit_bytes"]


def test_a_volume_larger_than_the_limit_is_kept_in_part_and_evicts_all_others(
    folder: Path, open_cache: Callable[..., EmbeddingCache], caplog: pytest.LogCaptureFixture
) -> None:
    open_cache().put(VOLUMES[0], key(0), embedding(0))
    cache = open_cache(limit_bytes=3 * ENTRY_BYTES)
    kept = [cache.put(VOLUMES[1], key(number), embedding(number)) for number in range(5)]
    assert kept == [True, True, True, False, False]
    assert [each.entries for each in cached_volumes(folder)] == [3]
    assert caplog.text.count("One volume's embeddings take more than the cache may") == 1


def test_what_other_processes_wrote_is_counted_before_long(
    folder: Path, open_cache: Callable[..., EmbeddingCache]
) -> None:
    limit = 32 * ENTRY_BYTES  # it counts again after every second entry
    mine, theirs = open_cache(limit_bytes=limit), open_cache(limit_bytes=limit)
    for number in range(24):
        assert mine.put(VOLUMES[number % 2], key(number), embedding(0))
        assert theirs.put(VOLUMES[2 + number % 2], key(number), embedding(0))
        assert sum(each.bytes for each in cached_volumes(folder)) <= limit + 4 * ENTRY_BYTES


def test_a_volume_that_another_process_evicts_is_no_trouble(
    folder: Path, open_cache: Callable[..., EmbeddingCache], caplog: pytest.LogCaptureFixture
) -> None:
    cache = open_cache()
    cache.put(VOLUMES[0], key(0), embedding(0))
    cache_folder_module.remove_cached(folder / VOLUMES[0])
    assert cache.get(VOLUMES[0], key(0), 16) is None
    assert cache.put(VOLUMES[0], key(0), embedding(0))
    assert caplog.text == ""


def test_what_killed_processes_left_half_written_goes_after_an_hour(
    folder: Path, open_cache: Callable[..., EmbeddingCache]
) -> None:
    open_cache().put(VOLUMES[0], key(0), embedding(0))
    old, new = (folder / VOLUMES[0] / f".partial-{name}.safetensors" for name in ("01", "02"))
    for leftover in (old, new):
        leftover.write_bytes(b"half")
    os.utime(old, (time.time() - 7200,) * 2)
    open_cache().put(VOLUMES[0], key(1), embedding(1))
    assert not old.exists()
    assert new.exists(), "another process may be at work on it"


def test_only_what_is_ours_is_removed(folder: Path, open_cache: Callable[..., EmbeddingCache]) -> None:
    open_cache().put(VOLUMES[0], key(0), embedding(0))
    theirs = [folder / "thesis" / "word2vec.safetensors", folder / VOLUMES[0] / "notes.txt"]
    theirs[0].parent.mkdir()
    for path in theirs:
        path.write_text("not of sammed")
    cache = open_cache(limit_bytes=ENTRY_BYTES)
    cache.put(VOLUMES[1], key(0), embedding(0))
    assert all(path.exists() for path in theirs)
    assert not entry(folder).exists()


def test_a_cache_of_another_version_is_left_alone_and_a_warning_says_so(
    folder: Path, open_cache: Callable[..., EmbeddingCache], caplog: pytest.LogCaptureFixture
) -> None:
    open_cache().put(VOLUMES[0], key(0), embedding(0))
    (folder / "format").write_text("2\n")
    cache = open_cache()
    assert cache.get(VOLUMES[0], key(0), 16) is None
    assert not cache.holds(VOLUMES[0], key(0))
    assert not cache.put(VOLUMES[0], key(1), embedding(1))
    assert [path.name for path in (folder / VOLUMES[0]).iterdir()] == [entry(folder).name]
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "belongs to another version of sammed; it isn't used" in caplog.text
    assert "sammed cache clear" in caplog.text


def test_a_folder_that_can_not_be_made_costs_one_warning(
    folder: Path, open_cache: Callable[..., EmbeddingCache], caplog: pytest.LogCaptureFixture
) -> None:
    folder.parent.write_text("a file where the cache should be")
    cache = open_cache()
    assert cache.get(VOLUMES[0], key(0), 16) is None
    assert [cache.put(VOLUMES[0], key(number), embedding(0)) for number in range(3)] == [False] * 3
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "can't be written" in caplog.text


@pytest.fixture
def read_only() -> Iterator[Path]:
    """A cache with one entry that this process may read and not write, even if root runs it."""
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)  # pytest's own folders are closed to everybody else
        folder = Path(place) / "embeddings"
        EmbeddingCache(CacheConfig(folder)).put(VOLUMES[0], key(0), embedding(0))
        user = os.geteuid()
        for path in (folder / VOLUMES[0], folder):
            path.chmod(0o555)
        if user == 0:
            os.seteuid(NOBODY)
        yield folder
        os.seteuid(user)
        for path in (folder, folder / VOLUMES[0]):
            path.chmod(0o755)


def test_a_folder_that_can_not_be_written_is_still_read(
    read_only: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache = EmbeddingCache(CacheConfig(read_only))
    assert cache.get(VOLUMES[0], key(0), 16) is not None
    assert not cache.put(VOLUMES[0], key(1), embedding(1))
    assert not cache.put(VOLUMES[1], key(1), embedding(1))
    assert caplog.text.count("can't be written (Permission denied); nothing is added") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has a full disk for tests")
def test_a_full_disk_costs_one_warning_and_leaves_nothing(
    folder: Path,
    open_cache: Callable[..., EmbeddingCache],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    cache = open_cache()
    cache.put(VOLUMES[0], key(0), embedding(0))
    write = Path.write_bytes

    def to_a_full_disk(path: Path, content: bytes) -> int:
        write(path, content[: len(content) // 2])
        return write(Path("/dev/full"), content)

    monkeypatch.setattr(Path, "write_bytes", to_a_full_disk)
    assert [cache.put(VOLUMES[0], key(number), embedding(0)) for number in (1, 2)] == [False, False]
    assert [path.name for path in (folder / VOLUMES[0]).iterdir()] == [entry(folder).name]
    assert caplog.text.count("can't be written (No space left on device); nothing is added") == 1
    assert cache.get(VOLUMES[0], key(0), 16) is not None, "what is there can still be read"


def test_a_disk_that_can_not_be_read_costs_one_warning(
    open_cache: Callable[..., EmbeddingCache],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    cache = open_cache()
    cache.put(VOLUMES[0], key(0), embedding(0))

    def fail(_path: Path) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "read_bytes", fail)
    assert [cache.get(VOLUMES[0], key(0), 16) for _ in range(2)] == [None, None]
    assert not cache.put(VOLUMES[0], key(1), embedding(1))
    assert caplog.text.count("can't be read (Input/output error); it isn't used") == 1


def test_the_limit_is_looked_at_from_the_first_entry_on(
    folder: Path, open_cache: Callable[..., EmbeddingCache]
) -> None:
    assert not open_cache(limit_bytes=0).put(VOLUMES[0], key(0), embedding(0))
    assert not open_cache(limit_bytes=ENTRY_BYTES - 1).put(VOLUMES[0], key(0), embedding(0))
    assert cached_volumes(folder) == ()
    assert cache_module.RECOUNT_BYTES < 1e9


def test_the_users_cache_is_where_the_variables_say(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SAMMED_CACHE", str(tmp_path))
    assert configured() == CacheConfig(tmp_path / "embeddings", 20_000_000_000)
    monkeypatch.setenv("SAMMED_CACHE_GB", "0.5")
    assert configured().limit_bytes == 500_000_000


@pytest.mark.parametrize("said", ["much", "-1", "nan", "inf"])
def test_a_limit_that_is_none_is_refused(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMMED_CACHE_GB", said)
    with pytest.raises(ConfigError, match=f"SAMMED_CACHE_GB is '{said}'; it must be a number of gigabytes"):
        configured()
    with pytest.raises(ConfigError, match="can't hold -1 bytes; use 0 for no cache"):
        CacheConfig(Path(), -1)


def test_no_test_touches_the_cache_of_whoever_runs_it(tmp_path_factory: pytest.TempPathFactory) -> None:
    assert cache_folder().is_relative_to(tmp_path_factory.getbasetemp())
