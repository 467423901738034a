"""JSON that is none, or holds something else than was written, is a sentence wherever JSON is read."""

import json
import re
from pathlib import Path

import pytest

from bench.corruption.processes import GOOD, outcome_of
from bench.corruption.samples import SAMPLES
from sammed.errors import SammedError
from sammed_volumes.json_text import parse_json

DEEP = "[" * 100_000
NAMES = ("prompts", "set", "monai-list", "nnunet-set", "provenance", "skill", "student")


def test_what_is_parsed() -> None:
    assert parse_json('{"a": [1, null]}') == parse_json(b'{"a": [1, null]}') == {"a": [1, None]}


@pytest.mark.parametrize("text", ["", "{", "[1] 2", DEEP], ids=["empty", "open", "more", "deep"])
def test_what_is_not(text: str) -> None:
    with pytest.raises(json.JSONDecodeError):
        parse_json(text)


@pytest.mark.parametrize("name", NAMES)
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


@pytest.mark.parametrize("value", ["1e999", "9" * 400, "null", "[]", "{}", '""'])
@pytest.mark.parametrize("name", NAMES)
def test_any_value_may_be_another(tmp_path: Path, name: str, value: str) -> None:
    """Each number and each object in turn."""
    sample = SAMPLES[name]
    path = tmp_path / sample.file_name
    sample.write(path)
    honest, text = path.read_bytes(), sample.unpack(path).decode()
    for found in re.finditer(r'(?<=": )[-.\w]+(?=[,}\s])|(?<=": )[{\[]', text):
        end = found.end() if found[0] not in "{[" else _closing(text, found.start())
        path.write_bytes(honest)
        path.write_bytes(sample.pack(path, (text[: found.start()] + value + text[end:]).encode()))
        outcome, fact = outcome_of(lambda: sample.readers[0](path))
        assert outcome in GOOD, f"{text[: found.start()][-40:]}{value}: {fact}"


def _closing(text: str, start: int) -> int:
    """The end of the JSON value that begins at `start`."""
    return json.JSONDecoder().raw_decode(text, start)[1]
