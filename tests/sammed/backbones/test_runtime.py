import importlib.util
import logging

import pytest
import torch
from torch import nn

from sammed.backbones import openvino, runtime
from sammed.backbones.runtime import Lazy, Runtime, choose_runtime, make_encoder
from sammed.errors import CheckpointError, ConfigError

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.fixture
def no_openvino(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)


def with_bfloat16(monkeypatch: pytest.MonkeyPatch, has: bool) -> None:
    monkeypatch.setattr(runtime, "has_bfloat16", lambda _device, _name: has)


@pytest.mark.parametrize(
    ("device", "words", "has", "wanted"),
    [
        (CPU, ("auto", "auto"), False, Runtime("openvino", torch.float32)),
        (CPU, ("auto", "auto"), True, Runtime("openvino", torch.bfloat16)),
        (CPU, ("auto", "float32"), True, Runtime("openvino", torch.float32)),
        (CPU, ("torch", "float32"), False, Runtime("torch", torch.float32)),
        (CPU, ("openvino", "bfloat16"), True, Runtime("openvino", torch.bfloat16)),
        (CUDA, ("auto", "auto"), True, Runtime("torch", torch.bfloat16)),
        (CUDA, ("torch", "float32"), True, Runtime("torch", torch.float32)),
        (torch.device("mps"), ("auto", "auto"), False, Runtime("torch", torch.float32)),
    ],
    ids=str,
)
def test_options_resolve_to_a_runtime(
    device: torch.device, words: tuple[str, str], has: bool, wanted: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_bfloat16(monkeypatch, has)
    assert choose_runtime(device, *words) == wanted


def test_openvino_off_the_cpu_is_refused() -> None:
    with pytest.raises(ConfigError, match="runs OpenVINO only on the CPU, not on cuda; use --device cpu"):
        choose_runtime(CUDA, "openvino", "float32")


def test_bfloat16_without_the_hardware_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="torch does not support bfloat16 on cpu"):
        choose_runtime(CPU, "torch", "bfloat16")
    with_bfloat16(monkeypatch, False)
    with pytest.raises(ConfigError, match="openvino does not support bfloat16 on cpu"):
        choose_runtime(CPU, "openvino", "bfloat16")


@pytest.mark.usefixtures("no_openvino")
def test_without_openvino_torch_is_used_with_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    assert choose_runtime(CPU, "auto", "auto") == Runtime("torch", torch.float32)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "OpenVINO is not installed" in caplog.text


@pytest.mark.usefixtures("no_openvino")
def test_torch_that_was_asked_for_needs_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    choose_runtime(CPU, "torch", "float32")
    assert caplog.text == ""


def test_a_model_that_openvino_can_not_run_is_run_by_torch_with_one_warning(
    tiny_encoder: nn.Module, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object) -> None:
        raise openvino.ConversionError("no such operation")

    monkeypatch.setattr(openvino, "load_encoder", fail)
    encoder = make_encoder(Runtime("openvino", torch.bfloat16), "digest", 64, lambda: tiny_encoder)
    assert encoder is tiny_encoder
    assert caplog.text.count("OpenVINO can't run this backbone (no such operation); encoding") == 1


@pytest.mark.parametrize("error", [ImportError, OSError, RuntimeError])
def test_torch_replaces_a_broken_openvino(
    error: type[Exception],
    tiny_encoder: nn.Module,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail() -> None:
        raise error("libopenvino.so: undefined symbol")

    monkeypatch.setattr(openvino, "import_openvino", fail)
    chosen = choose_runtime(CPU, "auto", "auto")
    assert chosen.dtype == torch.float32
    encoder = make_encoder(chosen, "digest", 64, lambda: tiny_encoder)
    assert encoder is tiny_encoder
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "OpenVINO can't run this backbone (libopenvino.so: undefined symbol); encoding" in caplog.text


def test_an_encoder_is_loaded_once_with_its_first_slice() -> None:
    loaded = []

    def load() -> torch.nn.Module:
        loaded.append(1)
        return torch.nn.Conv2d(3, 4, 1)

    encoder = Lazy(load)
    assert loaded == []
    first, second = (encoder(torch.ones(1, 3, 8, 8)) for _ in range(2))
    assert torch.equal(first, second)
    assert loaded == [1]


def test_an_encoder_that_fails_to_load_raises_each_time() -> None:
    def fail() -> torch.nn.Module:
        raise CheckpointError("the weights are of another architecture")

    encoder = Lazy(fail)
    for _ in range(2):
        with pytest.raises(CheckpointError, match="another architecture"):
            encoder(torch.ones(1, 3, 8, 8))
