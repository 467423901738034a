"""Damaged files of each format: a result or one sentence. The bench runs in a process that it may fork."""

import subprocess
import sys
from pathlib import Path

import pytest

from bench.corruption.damage import damaged, generator
from bench.corruption.samples import SAMPLES

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits and /proc are those of Linux")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bench.corruption", *arguments]
    return subprocess.run(command, capture_output=True, encoding="utf-8", timeout=300, check=False)


def test_every_format() -> None:
    finished = run("--count", "20")
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert [line.split()[0] for line in finished.stdout.splitlines()] == ["format", *SAMPLES]


def test_a_case_can_be_repeated_and_kept(tmp_path: Path) -> None:
    kept = tmp_path / "kept.json"
    finished = run("--format", "prompts", "--seed", "3", "--number", "5", "--keep", str(kept))
    assert "--format prompts --seed 3 --number 5" in finished.stdout
    sample, honest = SAMPLES["prompts"], tmp_path / "honest.json"
    sample.write(honest)
    assert kept.read_bytes() == damaged(sample, honest, generator(3, "prompts", 5)).content
