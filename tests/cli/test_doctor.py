"""`sammed doctor`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sammed.jobs.doctor import DoctorResult, Finding

if TYPE_CHECKING:
    from tests.cli.conftest import Sammed, StandIn


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
