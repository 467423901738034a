"""Claims: one process holds a volume, and dead processes hold none."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest

from sammed.batch.claims import Claims
from sammed_volumes.errors import OutputError

ROOTS = [str(Path(__file__).parents[3] / name) for name in (".", "volumes")]

# Takes a claim, reports it, and waits until it is killed or its input ends.
HOLDER = """
import sys
sys.path[:0] = sys.argv[3:]
from pathlib import Path
from sammed.batch.claims import Claims
claim = Claims(Path(sys.argv[1])).take(sys.argv[2])
print("taken" if claim else "refused", flush=True)
sys.stdin.read()
"""


Holder: TypeAlias = Callable[[str], subprocess.Popen[str]]


@pytest.fixture
def claims(tmp_path: Path) -> Claims:
    return Claims(tmp_path / "claims")


@pytest.fixture
def holder(claims: Claims) -> Iterator[Holder]:
    """`holder("a")`: another process that holds the claim on "a"."""
    processes: list[subprocess.Popen[str]] = []

    def start(output: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", HOLDER, str(claims.folder), output, *ROOTS]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8")
        processes.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "taken\n"
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def test_a_claim_is_exclusive_until_it_is_released(claims: Claims) -> None:
    claim = claims.take("ward 7/a_label.nii.gz")
    assert claim is not None
    assert claims.take("ward 7/a_label.nii.gz") is None
    other = claims.take("b_label.nii.gz")
    assert other is not None, "other volumes are free"
    claim.release()
    other.release()
    again = claims.take("ward 7/a_label.nii.gz")
    assert again is not None
    again.release()
    claims.tidy()
    assert not claims.folder.exists()


def test_another_process_is_named(claims: Claims, holder: Holder) -> None:
    process = holder("a")
    assert claims.take("a") is None
    assert claims.owner("a").startswith(f"process {process.pid} on ")


def test_the_claim_of_a_killed_process_is_taken_over(claims: Claims, holder: Holder) -> None:
    process = holder("a")
    assert claims.take("a") is None
    process.kill()
    process.wait()
    claim = claims.take("a")
    assert claim is not None
    claim.release()
    claims.tidy()
    assert not claims.folder.exists(), "the dead process left something behind"


def test_tidy_removes_the_claims_of_dead_processes_only(claims: Claims, holder: Holder) -> None:
    holder("alive")
    process = holder("dead")
    process.kill()
    process.wait()
    claims.tidy()
    assert claims.take("alive") is None
    assert len(list(claims.folder.iterdir())) == 2, "lock and note of the living process"


def test_a_damaged_note_does_no_harm(claims: Claims, holder: Holder) -> None:
    holder("a")
    for note in claims.folder.glob("*.json"):
        note.write_text("{")
    assert claims.take("a") is None
    assert claims.owner("a") == "another process"


def test_a_claim_that_can_not_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="can't be written"):
        Claims(tmp_path / "file" / "claims").take("a")
