"""The doctor's findings: what is broken, what slows sammed down."""

import shutil
from collections import namedtuple
from pathlib import Path
from types import SimpleNamespace
from typing import NoReturn

import pytest

import sammed.jobs.doctor
from sammed.jobs.backbones import find_weights, verify_weights
from sammed.jobs.doctor import DoctorRequest, DoctorResult, Finding, doctor
from sammed.progress import Silent


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SAMMED_WEIGHTS", raising=False)
    monkeypatch.setenv("SAMMED_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("platformdirs.user_data_dir", lambda *_args, **_kwargs: str(tmp_path / "data"))


def check_machine() -> DoctorResult:
    return doctor(DoctorRequest(), Silent())


def findings() -> dict[str, Finding]:
    return {finding.name: finding for finding in check_machine().findings}


def test_a_whole_machine_is_left_as_it_was(tmp_path: Path) -> None:
    checkup = check_machine()
    assert not checkup.is_broken
    assert checkup.to_json()["ok"] is True
    assert list(tmp_path.iterdir()) == [], "the doctor wrote something"


def test_a_package_that_is_missing_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    packages = (*sammed.jobs.doctor.ESSENTIAL, ("a-package", "no_such_module"))
    monkeypatch.setattr("sammed.jobs.doctor.ESSENTIAL", packages)
    found = findings()["a-package"]
    assert found.status == "broken"
    assert "No module named 'no_such_module'" in found.text
    assert check_machine().is_broken


def test_openvino_only_slows_down(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> NoReturn:
        raise ImportError("libopenvino.so: cannot open\nmore")

    monkeypatch.setattr("sammed.backbones.openvino.import_openvino", fail)
    found = findings()["openvino"]
    assert found.status == "attention"
    assert "(libopenvino.so: cannot open)" in found.text


def test_a_full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**12, 10**12 - 5 * 10**8, 5 * 10**8))
    found = findings()
    assert found["space for results"].status == "attention"
    assert "0.5 GB free" in found["space for results"].text


def test_a_folder_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> NoReturn:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    found = findings()["cache folder"]
    assert found.status == "attention"
    assert "not writable (Permission denied)" in found.text
    assert "SAMMED_CACHE" in found.text


def test_damaged_weights_of_the_default_are_broken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SAMMED_WEIGHTS", str(tmp_path))
    (tmp_path / "lite_medsam.pth").write_bytes(b"cut short")
    (tmp_path / "sam_vit_l_0b3195.pth").write_bytes(b"cut short")
    found = findings()
    assert found["weights of lite-medsam"].status == "broken"
    assert found["weights of sam-vit-l"].status == "attention"


def test_weights_without_a_published_digest_are_found_not_verified(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SAMMED_WEIGHTS", str(tmp_path))
    (tmp_path / "medsam_vit_b.pth").write_bytes(b"somebody's")
    [state] = verify_weights(["medsam-vit-b"])
    assert (state.status, state.path, state.problem) == ("found", tmp_path / "medsam_vit_b.pth", None)


def test_a_variable_that_names_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMMED_WEIGHTS", "/no/such/place")
    [state] = find_weights(["sam-vit-b"])
    assert (state.status, state.path) == ("missing", None)
    assert state.problem is not None
    assert str(Path("/no/such/place")) in state.problem


def test_cuda_devices_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    properties = SimpleNamespace(name="H200", total_memory=150e9)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    monkeypatch.setattr("torch.cuda.get_device_properties", lambda _: properties)
    assert findings()["cuda:0"].text == "cuda:0 is H200, 150 GB"


def test_a_driver_without_a_device_needs_attention(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.version.cuda", "13.2")
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr(shutil, "which", lambda _: "/usr/bin/nvidia-smi")
    assert findings()["cuda"].status == "attention"


def test_weights_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*_: object) -> NoReturn:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setenv("SAMMED_WEIGHTS", str(tmp_path))
    (tmp_path / "sam_vit_b_01ec64.pth").touch()
    monkeypatch.setattr("sammed.backbones.weights.verify", refuse)
    [state] = verify_weights(["sam-vit-b"])
    assert state.status == "damaged"
    assert state.problem is not None
    assert state.problem.endswith("can't be read: Permission denied.")
