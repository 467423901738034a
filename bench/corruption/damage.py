"""Damage: bytes flipped, a file cut, and fields of a header set to extremes; the same for the same seed."""

import re
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from bench.corruption.samples import Sample

_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_TEXTS = (
    *(b"0", b"-1", b"1", b"2", b"3", b"255", b"65536", b"2147483647", b"2147483648", b"4294967295", b"-0.0"),
    *(
        b"1000000000000",
        b"9223372036854775807",
        b"18446744073709551616",
        b"1e308",
        b"1e999",
        b"-1e999",
        b"nan",
    ),
    *(b"inf", b"1e-320", b"0.5", b"", b"x", b"9" * 400, b"1e", b"--1", b"NaN", b"Infinity", b"[1]"),
)
_INTEGERS = (0, 1, -1, 2, 3, 4, 7, 127, 128, 255, 32767, -32768, 2**31 - 1, -(2**31), 2**63 - 1, -(2**63))
_FLOATS = (0.0, -1.0, 1e38, -1e38, 1e-40, 1e308, float("nan"), float("inf"), float("-inf"), 0.5, 2.5e9)


@dataclass(frozen=True, slots=True)
class Damage:
    """A damaged file, and what was done to it."""

    kind: Literal["flip", "cut", "header"]
    content: bytes


def damaged(sample: Sample, path: Path, rng: np.random.Generator) -> Damage:
    """Damage the content of an honest file."""
    whole = path.read_bytes()
    kind = rng.integers(5)
    if kind == 0:
        return Damage("flip", _flipped(whole, len(whole), rng))
    if kind == 1:
        return Damage("cut", whole[: rng.integers(len(whole))])
    inner = sample.unpack(path)
    size = sample.length_of_header(inner)
    if kind == 2:
        return Damage("header", sample.pack(path, _flipped(inner, size, rng)))
    header = inner[:size]
    for _ in range(rng.integers(1, 4)):
        header = _with_extreme(header, sample, rng)
    return Damage("header", sample.pack(path, header + inner[size:]))


def generator(seed: int, name: str, number: int) -> np.random.Generator:
    """Return the generator of one case."""
    return np.random.default_rng([seed, zlib.crc32(name.encode()), number])


def _flipped(data: bytes, size: int, rng: np.random.Generator) -> bytes:
    """Change up to eight of the first `size` bytes."""
    changed = bytearray(data)
    for at in rng.integers(size, size=rng.integers(1, 9)):
        changed[at] ^= int(rng.integers(1, 256))
    return bytes(changed)


def _with_extreme(header: bytes, sample: Sample, rng: np.random.Generator) -> bytes:
    if not header:
        return header
    kind = rng.integers(3)
    if kind == 0 and sample.words:
        return _with_word(header, sample.words, rng)
    if kind == 1 and not sample.is_text:
        return _with_binary(header, rng)
    numbers = list(_NUMBER.finditer(header))
    if not numbers:
        return _with_binary(header, rng)
    found = numbers[rng.integers(len(numbers))]
    text = _TEXTS[rng.integers(len(_TEXTS))]
    if not sample.is_text:  # the length is stated elsewhere
        text = text[: len(found[0])].ljust(len(found[0]))
    return header[: found.start()] + text + header[found.end() :]


def _with_word(header: bytes, words: tuple[bytes, ...], rng: np.random.Generator) -> bytes:
    """Exchange a word, or a value of JSON, for another."""
    pattern = b"|".join([*map(re.escape, words), rb'"[^"]*"(?!:)', _NUMBER.pattern])
    places = list(re.finditer(pattern, header))
    if not places:
        return header
    found = places[rng.integers(len(places))]
    return header[: found.start()] + words[rng.integers(len(words))] + header[found.end() :]


def _with_binary(header: bytes, rng: np.random.Generator) -> bytes:
    """Write a number of 1 to 8 bytes at an aligned place."""
    order = "<>"[int(rng.integers(8) == 0)]
    if rng.integers(3) == 0:
        packed = struct.pack(order + "fd"[rng.integers(2)], _finite(_FLOATS[rng.integers(len(_FLOATS))]))
    else:
        size = 1 << int(rng.integers(4))
        number = _INTEGERS[rng.integers(len(_INTEGERS))] % (1 << 8 * size)
        packed = number.to_bytes(size, "little" if order == "<" else "big")
    step = min(len(packed), 4)
    at = int(rng.integers(max(len(header) // step, 1))) * step
    return (header[:at] + packed + header[at + len(packed) :])[: max(len(header), 1)]


def _finite(number: float) -> float:
    """Return a number that fits 4 bytes, so that `struct` packs it."""
    return 3e38 if 3e38 < number < float("inf") else number
