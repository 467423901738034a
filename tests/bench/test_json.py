"""JSON that no parser can follow is an error like any other, and a sentence wherever JSON is read."""

import json
from pathlib import Path

import pytest

from bench.corruption.samples import SAMPLES
from sammed.errors import SammedError
from sammed_volumes.json_text import parse_json

DEEP = "[" * 100_000


def test_what_is_parsed() -> None:
    assert parse_json('{"a": [1, null]}') == parse_json(b'{"a": [1, null]}') == {"a": [1, None]}


@pytest.mark.parametrize("text", ["", "{", "[1] 2", DEEP], ids=["empty", "open", "more", "deep"])
def test_what_is_not(text: str) -> None:
    with pytest.raises(json.JSONDecodeError):
        parse_json(text)


@pytest.mark.parametrize(
    "name", ["prompts", "set", "monai-list", "nnunet-set", "provenance", "skill", "student"]
)
def test_deep_brackets_are_one_sentence(tmp_path: Path, name: str) -> None:
    sample = SAMPLES[name]
    path = tmp_path / sample.file_name
    sample.write(path)
    path.write_bytes(sample.pack(path, DEEP.encode()))
    with pytest.raises(SammedError) as error:
        sample.readers[0](path)
    assert str(path) in str(error.value)
    assert len(str(error.value)) < 500


@pytest.mark.parametrize("name", ["manifest", "sidecar"])
def test_deep_brackets_are_passed_over_where_other_content_is(tmp_path: Path, name: str) -> None:
    sample = SAMPLES[name]
    path = tmp_path / sample.file_name
    sample.write(path)
    path.write_text(DEEP + "\n", encoding="utf-8")
    sample.readers[0](path)
