"""Damaged files of each format: a result or one sentence. The bench runs in a process that it may fork."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bench.corruption.claims import CLAIMS
from bench.corruption.damage import damaged, generator
from bench.corruption.guided import PARSERS
from bench.corruption.processes import Call, outcomes_of
from bench.corruption.rows import NAME, Row
from bench.corruption.samples import SAMPLES
from bench.rows import ROOT, read_rows

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits and /proc are those of Linux")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bench.corruption", *arguments]
    return subprocess.run(command, capture_output=True, encoding="utf-8", timeout=300, check=False)


def test_every_format() -> None:
    finished = run("--count", "20")
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert [line.split()[0] for line in finished.stdout.splitlines()] == ["format", *SAMPLES]


def test_a_header_that_claims_a_million_million_voxels_costs_no_memory() -> None:
    finished = run("--claims")
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert [line.split()[0] for line in finished.stdout.splitlines()] == ["format", *CLAIMS]


def test_rows_are_appended(tmp_path: Path) -> None:
    for seed in ("3", "4"):
        assert (
            run("--format", "png", "--count", "3", "--seed", seed, "--output", str(tmp_path)).returncode == 0
        )
    rows = read_rows(tmp_path / NAME, Row)
    assert [(row.way, row.format, row.seed, row.files) for row in rows] == [
        ("seeded", "png", 3, 3),
        ("seeded", "png", 4, 3),
    ]
    assert all(row.results + row.sentences == 3 and row.faults == 0 for row in rows)


def test_the_results_of_the_repository_are_of_every_format_and_without_a_fault() -> None:
    rows = read_rows(ROOT / "docs" / "results" / NAME, Row)
    assert [f"{row.way} {row.format}" for row in rows if row.faults] == []
    expected = (("claims", CLAIMS, 1), ("seeded", SAMPLES, 1000), ("guided", PARSERS, 10_000))
    for way, formats, files in expected:
        assert {row.format for row in rows if row.way == way and row.files >= files} == set(formats), way


@pytest.mark.parametrize(
    ("call", "outcome", "fact"),
    [
        (lambda: "read", "result", "read"),
        (lambda: len(bytearray(300 << 20)), "memory", "314572800"),
        (lambda: np.zeros(1 << 40, np.uint8).sum(), "memory", "MemoryError"),
        (lambda: 1 // 0, "traceback", "ZeroDivisionError"),
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "traceback", "the process died"),
        (lambda: signal.raise_signal(signal.SIGALRM), "hang", "took more than 10 s"),
    ],
)
def test_what_becomes_of_a_call_and_of_the_next_one(call: Call, outcome: str, fact: str) -> None:
    found, after = outcomes_of([call, lambda: "next"], 100 << 20)
    assert found[0] == outcome
    assert fact in found[1]
    assert after == ("result", "next")


def test_a_case_can_be_repeated_and_kept(tmp_path: Path) -> None:
    kept = tmp_path / "kept.json"
    finished = run("--format", "prompts", "--seed", "3", "--number", "5", "--keep", str(kept))
    assert "--format prompts --seed 3 --number 5" in finished.stdout
    sample, honest = SAMPLES["prompts"], tmp_path / "honest.json"
    sample.write(honest)
    assert kept.read_bytes() == damaged(sample, honest, generator(3, "prompts", 5)).content
