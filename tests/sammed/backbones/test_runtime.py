import importlib.util
import logging

import pytest
import torch

from sammed.backbones import converted, runtime
from sammed.backbones.backbone import Backbone
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
def test_what_the_words_mean(
    device: torch.device, words: tuple[str, str], has: bool, wanted: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_bfloat16(monkeypatch, has)
    assert choose_runtime(device, *words) == wanted


def test_openvino_off_the_cpu_is_refused() -> None:
    with pytest.raises(ConfigError, match="OpenVINO runs on the CPU here, not on cuda"):
        choose_runtime(CUDA, "openvino", "float32")


def test_bfloat16_without_the_hardware_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="bfloat16 can't be had with torch on cpu"):
        choose_runtime(CPU, "torch", "bfloat16")
    with_bfloat16(monkeypatch, False)
    with pytest.raises(ConfigError, match="bfloat16 can't be had with openvino on cpu"):
        choose_runtime(CPU, "openvino", "bfloat16")


@pytest.mark.usefixtures("no_openvino")
def test_without_openvino_torch_is_used_and_a_warning_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    assert choose_runtime(CPU, "auto", "auto") == Runtime("torch", torch.float32)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "OpenVINO is not installed" in caplog.text


@pytest.mark.usefixtures("no_openvino")
def test_torch_that_was_asked_for_needs_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    choose_runtime(CPU, "torch", "float32")
    assert caplog.text == ""


def test_a_model_that_openvino_can_not_run_is_run_by_torch_and_a_warning_says_so_once(
    tiny_backbone: Backbone, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object) -> None:
        raise converted.ConversionError("no such operation")

    monkeypatch.setattr(converted, "load_encoder", fail)
    encoder = make_encoder(
        Runtime("openvino", torch.bfloat16), "digest", 64, lambda: tiny_backbone.image_encoder
    )
    assert encoder is tiny_backbone.image_encoder
    assert caplog.text.count("OpenVINO can't run this backbone (no such operation), so torch") == 1


@pytest.mark.parametrize("error", [ImportError, OSError, RuntimeError])
def test_an_openvino_that_is_broken_is_replaced_by_torch(
    error: type[Exception],
    tiny_backbone: Backbone,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail() -> None:
        raise error("libopenvino.so: undefined symbol")

    monkeypatch.setattr(converted, "import_openvino", fail)
    chosen = choose_runtime(CPU, "auto", "auto")
    assert chosen.dtype == torch.float32
    encoder = make_encoder(chosen, "digest", 64, lambda: tiny_backbone.image_encoder)
    assert encoder is tiny_backbone.image_encoder
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "OpenVINO can't run this backbone (libopenvino.so: undefined symbol), so torch" in caplog.text


def test_an_encoder_is_loaded_with_its_first_slice_and_once() -> None:
    loaded = []

    def load() -> torch.nn.Module:
        loaded.append(1)
        return torch.nn.Conv2d(3, 4, 1)

    encoder = Lazy(load)
    assert loaded == []
    first, second = (encoder(torch.ones(1, 3, 8, 8)) for _ in range(2))
    assert torch.equal(first, second)
    assert loaded == [1]


def test_an_encoder_that_could_not_be_loaded_says_so_each_time() -> None:
    def fail() -> torch.nn.Module:
        raise CheckpointError("the weights are of another architecture")

    encoder = Lazy(fail)
    for _ in range(2):
        with pytest.raises(CheckpointError, match="another architecture"):
            encoder(torch.ones(1, 3, 8, 8))
