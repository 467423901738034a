"""A process that labels a folder, as a user starts it, with a cache of its own; and its end by SIGKILL."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.rows import ROOT
from sammed.batch.manifest import MANIFEST_NAME

PROGRAM = (sys.executable, "-m", "sammed_cli")


@dataclass(frozen=True, slots=True)
class Command:
    """`sammed auto-label` on the scans of a working folder, with the skill there."""

    work: Path
    output: Path

    @property
    def arguments(self) -> Sequence[str]:
        """The program and its arguments."""
        skill = self.work / "skill.safetensors"
        words = ("auto-label", self.work / "scans", "--skill", skill, "--output", self.output)
        return [*PROGRAM, *map(str, words)]

    @property
    def environment(self) -> Mapping[str, str]:
        """The current environment, with a cache in the working folder."""
        roots = os.pathsep.join(str(ROOT / name) for name in (".", "cli", "volumes"))
        return {**os.environ, "SAMMED_CACHE": str(self.work / "cache"), "PYTHONPATH": roots}

    def start(self) -> "subprocess.Popen[bytes]":
        """Start it in a session of its own, without its output."""
        quiet = subprocess.DEVNULL
        return subprocess.Popen(
            self.arguments, env=self.environment, stdout=quiet, stderr=quiet, start_new_session=True
        )

    def run(self) -> float:
        """Run it to its end and return the seconds; raise CalledProcessError if it fails."""
        started = time.perf_counter()
        status = self.start().wait()
        if status:
            raise subprocess.CalledProcessError(status, self.arguments)
        return time.perf_counter() - started

    def run_and_kill(self, after_s: float, wait_for: Path | None) -> bool:
        """Kill it and its children after some seconds; return False if it ended before.

        With `wait_for` the seconds count from when that file has grown.
        """
        before = _size(wait_for)
        process = self.start()
        while wait_for and process.poll() is None and _size(wait_for) <= before:
            time.sleep(0.005)
        try:
            process.wait(after_s)
            return False
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return True


def labeling_seconds(output: Path) -> float:
    """Return the seconds that a run spent on volumes, from its manifest."""
    lines = (output / MANIFEST_NAME).read_text(encoding="utf-8").splitlines()
    return float(sum(json.loads(line)["seconds"] for line in lines))


def _size(path: Path | None) -> int:
    return path.stat().st_size if path and path.exists() else 0
