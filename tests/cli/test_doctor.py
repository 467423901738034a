"""`sammed doctor`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import sammed_cli
from sammed.jobs.doctor import DoctorResult, Finding

if TYPE_CHECKING:
    from tests.cli.conftest import Sammed, StandIn


ROOT = Path(sammed_cli.__file__).parents[2]
WHOLE = DoctorResult((Finding("python", "ok", "Python 3.12"), Finding("cache", "attention", "no space")))
BROKEN = DoctorResult((*WHOLE.findings, Finding("torch", "broken", "torch can't be imported")))


@pytest.mark.parametrize(("checkup", "exit_code"), [(WHOLE, 0), (BROKEN, 1)], ids=["whole", "broken"])
def test_the_exit_status_says_whether_sammed_can_work(
    sammed: Sammed, stand_in: StandIn, checkup: DoctorResult, exit_code: int
) -> None:
    stand_in("sammed.jobs.doctor:doctor", lambda *_: checkup)
    run = sammed("doctor")
    assert (run.exit_code, run.stdout) == (exit_code, "")
    assert run.stderr.splitlines()[:2] == ["ok         Python 3.12", "attention  no space"]
    as_json = sammed("doctor", "--json")
    assert (as_json.exit_code, as_json.json) == (exit_code, checkup.to_json())


def test_this_machine(sammed: Sammed) -> None:
    run = sammed("doctor", "--json")
    assert run.exit_code == 0, run.stdout
    findings = {finding["name"]: finding for finding in run.json["findings"]}
    assert findings["weights of lite-medsam"]["status"] == "ok"
    assert findings["weights of lite-medsam"]["text"].endswith("(verified)")


def test_the_doctor_runs_where_torch_is_broken(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('libtorch_cpu.so: cannot open')")
    done = subprocess.run(
        [sys.executable, "-m", "sammed_cli", "doctor", "--json"],
        capture_output=True,
        encoding="utf-8",
        check=False,
        env={"PYTHONPATH": f"{tmp_path}:{ROOT}:{ROOT / 'cli'}:{ROOT / 'volumes'}", "PATH": "/usr/bin:/bin"},
    )
    assert done.returncode == 1, done.stderr
    findings = {finding["name"]: finding for finding in json.loads(done.stdout)["findings"]}
    assert findings["torch"]["status"] == "broken"
    assert "libtorch_cpu.so: cannot open" in findings["torch"]["text"]
    assert findings["weights of lite-medsam"]["status"] == "ok"
