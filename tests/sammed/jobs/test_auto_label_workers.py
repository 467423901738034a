"""`auto-label` on a real Dask cluster of two processes on this machine, whose workers are killed."""

import importlib.util
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import dask
import distributed
import numpy as np
import pytest

from sammed.batch.manifest import MANIFEST_NAME
from sammed.embeddings.config import EncodingConfig
from sammed.errors import ConfigError
from sammed.jobs.auto_label import AutoLabelRequest, auto_label
from sammed.progress import Silent
from sammed_volumes.formats import read_labels
from sammed_volumes.volume import Volume
from tests.conftest import Phantom
from tests.sammed.jobs.conftest import reason

NAMES = ("a", "b", "once", "poison", "z")


@pytest.fixture
def scans(tmp_path: Path, phantom: Callable[..., Phantom], save: Callable[[Volume, Path], Path]) -> Path:
    for seed, name in enumerate(NAMES):
        save(phantom(shape=(17, 13, 5), seed=seed + 1).volume, tmp_path / f"scans/{name}.nii.gz")
    return tmp_path / "scans"


@pytest.fixture
def tiny_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Workers started here have the tiny backbone, and die where the name of a volume asks for it."""
    here = Path(__file__).parent
    monkeypatch.setenv("TINY_CONFTEST", str(here.parent / "conftest.py"))
    assert distributed.config  # importing it registers Dask's settings
    settings = {
        "distributed.worker.preload": [str(here / "tiny_worker.py")],
        "temporary-directory": str(tmp_path / "dask"),
    }
    with dask.config.set(settings):
        yield


def lines(manifest: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines()]


@pytest.mark.slow
def test_deaths_of_workers_cost_a_try_each_and_nothing_else(
    scans: Path, skill: Path, tmp_path: Path, tiny_workers: None
) -> None:
    here = AutoLabelRequest(
        inputs=(scans,), skill=skill, output=Path("here"), encoding=EncodingConfig(cache=False)
    )
    there = replace(here, output=Path("there"), workers=2)
    undisturbed = {item.image: item for item in auto_label(here, Silent()).items}
    result = auto_label(there, Silent())
    items = {item.image.name.partition(".")[0]: item for item in result.items}
    assert [item.image for item in result.items] == list(undisturbed), "in the order of the folder"
    assert {name: item.status for name, item in items.items()} == {
        name: "failed" if name == "poison" else "done" for name in NAMES
    }
    assert "died 3 times" in reason(items["poison"])
    starts = Counter(
        line["output"] for line in lines(Path("there") / MANIFEST_NAME) if line["status"] == "started"
    )
    assert starts == {
        "a_label.nii.gz": 1,
        "b_label.nii.gz": 1,
        "z_label.nii.gz": 1,
        "once_label.nii.gz": 2,
        "poison_label.nii.gz": 3,
    }
    for name in set(NAMES) - {"poison"}:
        expected = undisturbed[scans / f"{name}.nii.gz"]
        assert (items[name].slices, items[name].labels) == (expected.slices, expected.labels)
        assert items[name].output == Path(f"there/{name}_label.nii.gz"), "paths are those that the user gave"
        found, wanted = (
            read_labels(folder / f"{name}_label.nii.gz").voxels for folder in (Path("there"), Path("here"))
        )
        np.testing.assert_array_equal(found, wanted)
    assert not list(Path("there").glob(".sammed*")), "a claim was left behind"


def test_without_dask_a_sentence_says_what_to_install(
    scans: Path, skill: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "distributed" else find(name)
    )
    with pytest.raises(ConfigError, match=r"pip install 'sammed\[cluster\]'"):
        auto_label(AutoLabelRequest(inputs=(scans,), skill=skill, workers=2), Silent())


def test_no_scheduler_at_the_address(scans: Path, skill: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sammed.batch.cluster._PATIENCE_S", 0.5)
    with pytest.raises(ConfigError, match=r"There is no Dask scheduler at tcp://127\.0\.0\.1:9"):
        auto_label(AutoLabelRequest(inputs=(scans,), skill=skill, cluster="tcp://127.0.0.1:9"), Silent())
