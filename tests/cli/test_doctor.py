"""`sammed doctor`."""

import pytest

from sammed.jobs.checking import Checkup, Finding

WHOLE = Checkup((Finding("python", "ok", "Python 3.12"), Finding("cache", "attention", "no space")))
BROKEN = Checkup((*WHOLE.findings, Finding("torch", "broken", "torch can't be imported")))


@pytest.mark.parametrize(("checkup", "exit_code"), [(WHOLE, 0), (BROKEN, 1)], ids=["whole", "broken"])
def test_the_exit_status_says_whether_sammed_can_work(sammed, monkeypatch, checkup, exit_code):
    monkeypatch.setattr("sammed.jobs.checking.check_machine", lambda: checkup)
    run = sammed("doctor")
    assert (run.exit_code, run.stdout) == (exit_code, "")
    assert run.stderr.splitlines()[:2] == ["ok         Python 3.12", "attention  no space"]
    as_json = sammed("doctor", "--json")
    assert (as_json.exit_code, as_json.json) == (exit_code, checkup.to_json())


def test_this_machine(sammed):
    run = sammed("doctor", "--json")
    assert run.exit_code == 0, run.stdout
    findings = {finding["name"]: finding for finding in run.json["findings"]}
    assert findings["weights of lite-medsam"]["status"] == "ok"
    assert findings["weights of lite-medsam"]["text"].endswith("(verified)")
