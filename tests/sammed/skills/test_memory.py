"""How much memory labeling takes, estimated from two volumes of a few slices."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sammed.embeddings.scan import MOST_RECENT
from sammed.embeddings.scratch import MOST_IN_MEMORY

PROGRAM = Path(__file__).with_name("memory_of_labeling.py")
LARGE = 600  # slices of 512 x 512
LOADED_MB = 900  # torch, OpenVINO and lite-medsam, before there is a volume


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not report the peak of a process this way")
@pytest.mark.parametrize("cached", [False, True], ids=["without a cache", "with one"])
def test_a_volume_of_600_large_slices_takes_less_than_3_gb(cached: bool, tmp_path: Path) -> None:
    """512 x 512 x 600 int16, three labels in every slice; with a cache no embedding stays in memory."""
    held, few, more = 16, 24, 72
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    words = ["3", str(held), str(few), str(more), *(["cached"] if cached else [])]
    done = subprocess.run(
        [sys.executable, PROGRAM, *words],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    _, after_few, after_more = json.loads(done.stdout)
    a_slice_mb = (after_more - after_few) / (more - few)
    assert 0.5 < a_slice_mb < 6, "the measurement is wrong"
    embeddings_mb = (MOST_RECENT if cached else MOST_IN_MEMORY) * 2.1
    assert LOADED_MB + embeddings_mb + LARGE * a_slice_mb < 3000
