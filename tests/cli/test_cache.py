"""`sammed cache`, and the option that does without it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest
import torch

from sammed.backbones.openvino import cache_key
from sammed.embeddings.cache import EmbeddingCache
from sammed.embeddings.cache_config import configured
from sammed.embeddings.config import EncodingConfig
from sammed.jobs.demo import DemoRequest

if TYPE_CHECKING:
    from sammed.progress import Reporter
    from tests.cli.conftest import Sammed, StandIn


@pytest.fixture
def full(own_folders: Path) -> Path:
    """A cache with three slices of two volumes and one converted encoder."""
    cache = EmbeddingCache(configured())
    for volume, key in (("a", "1"), ("a", "2"), ("b", "1")):
        assert cache.put(volume * 64, key * 64, torch.zeros(256, 16, 16).half())
    encoder = own_folders / "cache/openvino" / cache_key("digest")
    encoder.mkdir(parents=True)
    (encoder / "encoder.bin").write_bytes(b"x" * 1000)
    return own_folders / "cache"


def test_info_says_where_it_lies_and_what_is_in_it(sammed: Sammed, full: Path) -> None:
    run = sammed("cache", "info", "--json")
    assert (run.exit_code, run.stderr) == (0, "")
    size = sum(path.stat().st_size for path in full.rglob("*.safetensors"))
    assert run.json == {
        "folder": str(full),
        "limit_bytes": 20_000_000_000,
        "embeddings": {"volumes": 2, "slices": 3, "bytes": size},
        "converted": {"networks": 1, "bytes": 1000},
    }
    rows = sammed("cache", "info").rows
    assert ["embeddings", "3", "slices", "of", "2", "volumes,", "0.4", "MB"] in rows
    assert ["at", "most", "20.0", "GB"] in rows


def test_there_may_be_no_cache_yet(sammed: Sammed, own_folders: Path) -> None:
    run = sammed("cache", "info", "--json")
    assert run.exit_code == 0
    assert run.json["embeddings"] == {"volumes": 0, "slices": 0, "bytes": 0}
    assert sammed("cache", "clear", "--json").json["removed_bytes"] == 0
    assert not (own_folders / "cache").exists(), "looking made a folder"


def test_clear_removes_what_is_sammeds_and_nothing_else(sammed: Sammed, full: Path) -> None:
    theirs = [full / "thesis.pdf", full / "embeddings/word2vec.bin", full / "openvino/notes.txt"]
    for path in theirs:
        path.write_text("not of sammed")
    run = sammed("cache", "clear", "--json")
    assert run.exit_code == 0
    assert run.json["removed_bytes"] > 1000
    assert run.json["left_bytes"] == 0
    assert sorted(path for path in full.rglob("*") if path.is_file()) == sorted(theirs)
    assert sammed("cache", "info", "--json").json["converted"] == {"networks": 0, "bytes": 0}


def test_clear_makes_room_for_a_cache_of_this_version(sammed: Sammed, full: Path) -> None:
    (full / "embeddings/format").write_text("99\n")
    assert sammed("cache", "clear").exit_code == 0
    assert EmbeddingCache(configured()).put("a" * 64, "1" * 64, torch.zeros(256, 16, 16).half())


def test_a_limit_that_is_none_is_one_sentence(sammed: Sammed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMMED_CACHE_GB", "plenty")
    run = sammed("cache", "info")
    assert (run.exit_code, run.sentence) == (
        2,
        "SAMMED_CACHE_GB is 'plenty'; it must be a number of gigabytes, 0 or more.",
    )


def test_a_job_uses_the_cache_by_default() -> None:
    assert EncodingConfig().open_cache() is not None
    assert EncodingConfig(cache=False).open_cache() is None
    assert not DemoRequest().encoding.cache, "the demo measures, so it encodes"


@pytest.mark.parametrize(
    ("command", "job"),
    [
        (("assist-train", "--no-cache"), "sammed.jobs.assist_train:assist_train"),
        (
            ("auto-train", "a.nii", "b.nii", "--overwrite", "--no-cache"),
            "sammed.jobs.auto_train:auto_train",
        ),
        (("auto-label", "a.nii", "--no-cache"), "sammed.jobs.auto_label:auto_label"),
        (
            ("assist-label", "a.nii", "--box", "lung:1,1,1,5,5,1", "--no-cache"),
            "sammed.jobs.assist_label:assist_label",
        ),
        (("assist-evaluate", "a.nii", "b.nii", "--no-cache"), "sammed.jobs.assist_evaluate:assist_evaluate"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_no_cache_reaches_the_job(
    command: tuple[str, ...], job: str, sammed: Sammed, stand_in: StandIn, own_folders: Path
) -> None:
    for name in ("a.nii", "b.nii", "skill.safetensors"):
        (own_folders / name).touch()

    def stop(_request: object, _reporter: Reporter) -> NoReturn:
        raise KeyboardInterrupt

    requests = stand_in(job, stop)
    sammed(*command)
    assert [request.encoding.cache for request in requests] == [False]
    sammed(*command[:-1])
    assert [request.encoding.cache for request in requests] == [False, True]
