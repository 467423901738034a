"""The ledger: what is labeled again, what is skipped, and what is never replaced."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest

from sammed.batch.ledger import TRIES, Busy, Ledger, LedgerConfig, NoLedger, Settled, Taken
from sammed.batch.manifest import MANIFEST_NAME, Recipe
from sammed.batch.target import Target
from sammed.storage.fingerprint import labels_digest, sha256_of
from sammed_volumes.errors import OutputError
from sammed_volumes.formats import read_labels, write_labels
from sammed_volumes.labels import LabelVolume
from tests.conftest import Phantom

RECIPE = Recipe("5" * 64, {"generator": "sap"})
Put: TypeAlias = Callable[[str], str]

VALUES = {"machine": 1, "person": 2, "machine, later": 3}


@pytest.fixture
def target(tmp_path: Path) -> Target:
    (tmp_path / "out").mkdir()
    (tmp_path / "a.nii").write_bytes(b"image")
    return Target(tmp_path / "a.nii", tmp_path / "out/a_label.nii.gz")


@pytest.fixture
def config(target: Target) -> LedgerConfig:
    return LedgerConfig(manifest=target.output.parent / MANIFEST_NAME, recipe=RECIPE, run="first")


@pytest.fixture
def put(target: Target, phantom: Callable[..., Phantom]) -> Put:
    """`put("person")` writes a label volume to the target's place and returns its digest."""
    made = phantom(shape=(7, 5, 3))

    def write(who: str) -> str:
        voxels = np.full((7, 5, 3), VALUES[who], np.uint8)
        labels = LabelVolume(voxels, made.volume.affine_ras_mm, ())
        write_labels(labels, target.output, like=made.volume, overwrite=True)
        return labels_digest(read_labels(target.output).voxels)

    return write


def finish(ledger: Ledger, target: Target, put: Put, who: str = "machine") -> None:
    """Take all the steps of labeling a volume."""
    taken = ledger.take(target)
    assert isinstance(taken, Taken)
    digest = put(who)
    ledger.writing(taken, digest)
    ledger.done(taken, digest, seconds=1.5, slices=3, labels=("lung",))
    taken.release()


def kill(
    ledger: Ledger, target: Target, put: Put | None = None, who: str | None = None, noted: str | None = None
) -> None:
    """Take the steps of a process that is then killed: its claim is free, nothing else is cleaned up."""
    taken = ledger.take(target)
    assert isinstance(taken, Taken)
    if noted and put:
        ledger.writing(taken, put(noted))
        if noted != who:
            target.output.unlink()
    if who and put:
        put(who)
    taken.release()


def test_what_is_done_and_unchanged_is_skipped(config: LedgerConfig, target: Target, put: Put) -> None:
    finish(Ledger(config), target, put)
    found = Ledger(replace(config, run="second")).take(target)
    assert isinstance(found, Settled)
    assert "labeled already" in found.reason
    assert found.entry is None, "an earlier run labeled it"


def test_what_a_dead_worker_of_this_run_has_done_counts(
    config: LedgerConfig, target: Target, put: Put
) -> None:
    finish(Ledger(config), target, put)
    found = Ledger(config).take(target)
    assert isinstance(found, Settled)
    assert found.entry is not None
    assert (found.entry.seconds, found.entry.slices, found.entry.labels) == (1.5, 3, ("lung",))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"recipe": Recipe("6" * 64, RECIPE.settings)}, id="skill"),
        pytest.param({"recipe": Recipe("5" * 64, {"generator": "propagation"})}, id="options"),
        pytest.param({"resume": False, "overwrite": True, "began_at": 1 << 40}, id="all again"),
    ],
)
def test_another_recipe_labels_it_again(
    config: LedgerConfig, target: Target, put: Put, change: dict[str, Any]
) -> None:
    finish(Ledger(config), target, put)
    taken = Ledger(replace(config, **change)).take(target)
    assert isinstance(taken, Taken)
    assert taken.may_replace


def test_another_image_labels_it_again(config: LedgerConfig, target: Target, put: Put) -> None:
    finish(Ledger(config), target, put)
    target.image.write_bytes(b"another image")
    assert isinstance(Ledger(config).take(target), Taken)


def test_another_series_labels_it_again(config: LedgerConfig, target: Target, put: Put) -> None:
    finish(Ledger(config), target, put)
    assert isinstance(Ledger(config).take(replace(target, series="1.2.3")), Taken)


def test_labels_that_were_removed_are_written_again(config: LedgerConfig, target: Target, put: Put) -> None:
    finish(Ledger(config), target, put)
    target.output.unlink()
    assert isinstance(Ledger(config).take(target), Taken)


@pytest.mark.parametrize("resume", [True, False])
def test_labels_made_or_edited_by_hand_are_never_replaced_without_permission(
    config: LedgerConfig, target: Target, put: Put, resume: bool
) -> None:
    config = replace(config, resume=resume)
    put("person")
    found = Ledger(config).take(target)
    assert isinstance(found, Settled)
    assert f"{target.output} already exists" in found.reason
    target.output.unlink()
    finish(Ledger(config), target, put)
    put("person")
    target.image.write_bytes(b"another image")  # so that there is a reason to replace it
    assert isinstance(Ledger(config).take(target), Settled)
    taken = Ledger(replace(config, overwrite=True)).take(target)
    assert isinstance(taken, Taken)
    assert taken.may_replace


def test_without_resuming_what_is_there_stays(config: LedgerConfig, target: Target, put: Put) -> None:
    finish(Ledger(config), target, put)
    later = Ledger(replace(config, resume=False, began_at=1 << 40))
    assert isinstance(later.take(target), Settled)


@pytest.mark.parametrize(
    "left",
    [
        pytest.param({}, id="before writing"),
        pytest.param({"noted": "machine"}, id="labels noted, not there"),
        pytest.param({"noted": "machine", "who": "machine"}, id="labels there, not noted as done"),
    ],
)
def test_what_a_killed_process_left_is_labeled_again(
    config: LedgerConfig, target: Target, put: Put, left: dict[str, str]
) -> None:
    kill(Ledger(config), target, put, **left)
    taken = Ledger(replace(config, run="second")).take(target)
    assert isinstance(taken, Taken)
    assert taken.may_replace is ("who" in left)


def test_killed_while_its_own_labels_were_replaced(config: LedgerConfig, target: Target, put: Put) -> None:
    """The old labels are in place and the new ones were noted: both are sammed's own."""
    finish(Ledger(config), target, put)
    target.image.write_bytes(b"another image")
    kill(Ledger(config), target, put, who="machine", noted="machine, later")
    assert isinstance(Ledger(config).take(target), Taken)


def test_a_person_was_faster_than_the_next_run(config: LedgerConfig, target: Target, put: Put) -> None:
    kill(Ledger(config), target, put)
    put("person")
    assert isinstance(Ledger(config).take(target), Settled)


def test_two_at_once(config: LedgerConfig, target: Target, put: Put) -> None:
    first, second = Ledger(config), Ledger(config)
    taken = first.take(target)
    found = second.take(target)
    assert isinstance(taken, Taken)
    assert isinstance(found, Busy)
    assert "process" in found.owner
    first.failed(taken, "no", 0.1)
    taken.release()
    assert isinstance(second.take(target), Taken), "a volume that failed may be tried again"


def test_a_second_process_that_overwrites_takes_what_the_first_has_not_done(
    config: LedgerConfig, target: Target, put: Put
) -> None:
    """Both label everything again; what the first did since the second began is not labeled twice."""
    finish(Ledger(config), target, put)
    size = Ledger(config).manifest.size()
    again = replace(config, resume=False, overwrite=True, began_at=size)
    finish(Ledger(again), target, put)
    assert isinstance(Ledger(again).take(target), Settled)


def test_a_volume_that_kills_its_process_is_given_up(config: LedgerConfig, target: Target, put: Put) -> None:
    for _ in range(TRIES):
        kill(Ledger(config), target)
    found = Ledger(config).take(target)
    assert isinstance(found, Settled)
    assert found.is_failure
    assert f"died {TRIES} times" in found.reason
    assert isinstance(Ledger(replace(config, run="second")).take(target), Taken), "a new run tries again"


def test_a_missing_image_is_left_to_the_reader(config: LedgerConfig, target: Target) -> None:
    target.image.unlink()
    assert isinstance(Ledger(config).take(target), Taken)


def test_the_ledger_does_not_import_torch() -> None:
    code = "import sys, sammed.batch.ledger, sammed.batch.sources; assert 'torch' not in sys.modules"
    roots = [str(Path(__file__).parents[3] / name) for name in (".", "volumes")]
    subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {roots!r}; {code}"],
        check=True,
    )


def test_without_a_ledger_every_volume_is_taken(target: Target) -> None:
    """And nothing is written: neither a manifest nor a claim."""
    ledger = NoLedger(overwrite=False)
    taken = ledger.take(target)
    assert isinstance(taken, Taken)
    assert (taken.image_sha256, taken.may_replace) == (sha256_of(target.image), False)
    assert isinstance(ledger.take(target), Taken), "no claim keeps a second one out"
    ledger.writing(taken, "d" * 64)
    ledger.done(taken, "d" * 64, seconds=1.0, slices=2, labels=("lung",))
    ledger.failed(taken, "no", 1.0)
    taken.release()
    ledger.tidy()
    assert not ledger.is_batch
    assert not list(target.output.parent.iterdir())


def test_without_a_ledger_an_output_that_exists_is_kept(target: Target, put: Put) -> None:
    put("person")
    with pytest.raises(OutputError, match="already exists"):
        NoLedger(overwrite=False).take(target)
    taken = NoLedger(overwrite=True).take(target)
    assert isinstance(taken, Taken)
    assert taken.may_replace


def test_without_a_ledger_an_unreadable_image_is_left_to_the_reader(target: Target) -> None:
    target.image.unlink()
    taken = NoLedger(overwrite=False).take(target)
    assert isinstance(taken, Taken)
    assert taken.image_sha256 == ""
