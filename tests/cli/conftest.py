"""Commands run in this process; stand-ins for slow jobs record their requests."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import nibabel
import numpy as np
import pytest
from click.testing import CliRunner

from sammed_cli.main import cli
from sammed_volumes.formats import write_labels

if TYPE_CHECKING:
    from tests.conftest import Phantom

Sammed: TypeAlias = "Callable[..., Run]"
StandIn: TypeAlias = Callable[[str, Callable[..., Any]], list[Any]]


@dataclass(frozen=True, slots=True)
class Run:
    """The output and exit status of a command."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        """The one JSON object on stdout."""
        assert self.stdout.count("\n") == 1, f"not one line on stdout: {self.stdout!r}"
        return json.loads(self.stdout)

    @property
    def sentence(self) -> str:
        """The one line of an error, without a traceback."""
        assert "Traceback" not in self.stdout + self.stderr
        lines = [line for line in self.stderr.splitlines() if line.startswith("Error: ")]
        assert len(lines) == 1, self.stderr
        return lines[0].removeprefix("Error: ")

    @property
    def rows(self) -> list[list[str]]:
        """The words of each line on stderr."""
        return [line.split() for line in self.stderr.splitlines()]


@pytest.fixture
def sammed() -> Sammed:
    """`sammed("evaluate", path, "--json")` runs the command in this process."""

    def run(*arguments: object) -> Run:
        result = CliRunner().invoke(cli, [str(argument) for argument in arguments])
        return Run(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The test has its own working folder, cache and folder of weights."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SAMMED_WEIGHTS", raising=False)
    monkeypatch.setenv("SAMMED_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("platformdirs.user_data_dir", lambda *_args, **_kwargs: str(tmp_path / "data"))
    return tmp_path


@dataclass(frozen=True, slots=True)
class Case:
    """An image with its labels on disk."""

    image: Path
    labels: Path


@pytest.fixture
def case(tmp_path: Path, phantom: Callable[..., Phantom]) -> Case:
    """A phantom as `scans/Frau Süß.nii.gz` and `labels/Frau Süß_label.nii.gz`."""
    made = phantom()
    image, labels = tmp_path / "scans/Frau Süß.nii.gz", tmp_path / "labels/Frau Süß_label.nii.gz"
    image.parent.mkdir()
    labels.parent.mkdir()
    nibabel.save(nibabel.Nifti1Image(made.volume.voxels, made.volume.affine_ras_mm), image)
    write_labels(made.labels, labels, like=made.volume)
    return Case(image, labels)


@pytest.fixture
def eroded(case: Case, phantom: Callable[..., Phantom]) -> Path:
    """A prediction for the case: the tumour is missing, the lung is shifted by one voxel."""
    made = phantom()
    voxels = made.labels.voxels.copy()
    voxels[voxels == 4] = 2
    lung = np.roll(voxels == 1, 1, axis=0)
    voxels[voxels == 1] = 0
    voxels[lung] = 1
    path = case.labels.with_name("prediction.nii.gz")
    nibabel.save(nibabel.Nifti1Image(voxels, made.volume.affine_ras_mm), path)
    return path


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """`stand_in("sammed.jobs.demo:demo", answer)` replaces a job and returns the list of its requests."""

    def replace(name: str, answer: Callable[..., Any]) -> list[Any]:
        module, function = name.split(":")
        requests: list[Any] = []

        def job(request: Any, reporter: Any) -> Any:
            requests.append(request)
            return answer(request, reporter)

        monkeypatch.setattr(import_module(module), function, job)
        return requests

    return replace
