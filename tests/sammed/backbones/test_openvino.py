"""Conversion for OpenVINO, with the tiny backbone's encoder; many tests share one conversion."""

import logging
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from sammed.backbones import openvino
from sammed.backbones.backbone import Backbone
from sammed.backbones.openvino import ConversionError, OpenVinoEncoder, cache_key, load_encoder

SIZE = 64


def pixels(count: int) -> Tensor:
    return torch.rand(count, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(5))


@pytest.fixture(scope="session")
def kept(tiny_encoder: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder with the tiny encoder in it."""
    folder = tmp_path_factory.mktemp("kept")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SAMMED_CACHE", str(folder))
        load_encoder("tiny", SIZE, torch.float32, lambda: tiny_encoder)
    return folder


@pytest.fixture
def cache(kept: Path, tmp_path: Path) -> Path:
    """The test's own cache folder with a copy of the tiny encoder in it."""
    shutil.copytree(kept, tmp_path / "cache")
    return tmp_path / "cache" / "openvino"


def never() -> nn.Module:
    raise AssertionError("the encoder was built again")


def load(build: Callable[[], nn.Module] = never) -> OpenVinoEncoder:
    return load_encoder("tiny", SIZE, torch.float32, build)


def test_it_computes_what_torch_computes_for_any_number_of_slices(
    tiny_backbone: Backbone, cache: Path
) -> None:
    encoder = load()
    for count in (1, 3):
        wanted = tiny_backbone.encode(pixels(count))
        torch.testing.assert_close(encoder(pixels(count)), wanted, atol=1e-4, rtol=1e-4)


def test_a_converted_encoder_is_named_by_backbone_sammed_and_openvino(cache: Path) -> None:
    assert [path.name for path in cache.iterdir()] == [cache_key("tiny")]
    assert "sammed-0." in cache_key("a" * 64)
    assert cache_key("a" * 64) != cache_key("b" * 64)


def test_converting_is_reported_and_kept_in_the_cache(
    tiny_encoder: nn.Module, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="sammed"):
        load(lambda: tiny_encoder)
        load()
    assert caplog.text.count("Converting the image encoder for OpenVINO") == 1


@pytest.mark.parametrize("damage", ["cut", "flipped", "no digest", "no weights"])
def test_a_damaged_encoder_is_converted_again(
    damage: str,
    cache: Path,
    tiny_backbone: Backbone,
    tiny_encoder: nn.Module,
    caplog: pytest.LogCaptureFixture,
) -> None:
    folder = cache / cache_key("tiny")
    weights = folder / "encoder.bin"
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 255
    {
        "cut": lambda: weights.write_bytes(content[:1000]),
        "flipped": lambda: weights.write_bytes(content),
        "no digest": lambda: (folder / "sha256").unlink(),
        "no weights": weights.unlink,
    }[damage]()
    encoder = load(lambda: tiny_encoder)
    torch.testing.assert_close(encoder(pixels(1)), tiny_backbone.encode(pixels(1)), atol=1e-4, rtol=1e-4)
    assert "is damaged and will be converted again" in caplog.text
    load()


def test_leftovers_of_a_killed_conversion_are_removed(cache: Path, tiny_encoder: nn.Module) -> None:
    old, new = cache / f"{cache_key('tiny')}.old.tmp", cache / f"{cache_key('tiny')}.new.tmp"
    for folder in (old, new):
        folder.mkdir()
    os.utime(old, (time.time() - 7200,) * 2)
    load_encoder("another", SIZE, torch.float32, lambda: tiny_encoder)
    assert not old.exists()
    assert new.exists(), "another process may be using it"


def test_a_cache_that_can_not_be_written_costs_a_warning(
    tiny_encoder: nn.Module,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (tmp_path / "a file").touch()
    monkeypatch.setenv("SAMMED_CACHE", str(tmp_path / "a file"))
    encoder = load(lambda: tiny_encoder)
    assert encoder(pixels(1)).shape == (1, 256, 16, 16)
    assert "can't be written" in caplog.text
    assert "the next run converts the encoder again" in caplog.text


class Untraceable(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x if float(x.sum()) > 0 else -x


class Random(nn.Module):
    """No two runs agree, like an operation that OpenVINO gets wrong."""

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.rand_like(x)


@pytest.mark.parametrize("module", [Untraceable(), Random()], ids=["untraceable", "different"])
def test_what_openvino_can_not_do_right_is_an_error_and_is_not_kept(
    module: nn.Module, tmp_path: Path
) -> None:
    root = logging.getLogger()
    before = (root.level, list(root.handlers))
    with pytest.raises(ConversionError):
        load(lambda: module)
    assert (root.level, root.handlers) == before, "the converter's logging setup persists"
    assert not list(tmp_path.rglob("encoder.xml"))


RACE = """
import torch
from sammed.backbones.openvino import load_encoder
torch.manual_seed(0)
encoder = torch.nn.Conv2d(3, 4, 3)
print(load_encoder("raced", 64, torch.float32, lambda: encoder)(torch.ones(1, 3, 64, 64)).sum().item())
"""


def test_processes_that_start_together_end_with_one_whole_encoder(
    tmp_path: Path, start_python: Callable[[str], "subprocess.Popen[str]"]
) -> None:
    processes = [start_python(RACE) for _ in range(2)]
    answers = {process.communicate()[0] for process in processes}
    assert [process.returncode for process in processes] == [0, 0]
    assert len(answers) == 1
    assert [path.name for path in (tmp_path / "cache" / "openvino").iterdir()] == [cache_key("raced")]


def test_the_second_process_leaves_the_encoder_of_the_first_in_place(
    cache: Path,
    tiny_encoder: nn.Module,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    kept = {path: path.stat().st_mtime_ns for path in (cache / cache_key("tiny")).iterdir()}
    monkeypatch.setattr(openvino, "_read", lambda *_args: None)  # the first was still converting
    load(lambda: tiny_encoder)
    assert {path: path.stat().st_mtime_ns for path in (cache / cache_key("tiny")).iterdir()} == kept
    assert [path.name for path in cache.iterdir()] == [cache_key("tiny")]
    assert "can't be written" not in caplog.text


def test_importing_openvino_sends_no_telemetry(
    start_python: Callable[[str], "subprocess.Popen[str]"],
) -> None:
    code = (
        "import sys; from sammed.backbones.openvino import import_openvino; import_openvino();"
        "print('openvino' in sys.modules, 'openvino_telemetry' in sys.modules)"
    )
    assert start_python(code).communicate()[0].split() == ["True", "False"]


def test_openvino_is_asked_for_the_precision_that_is_wanted() -> None:
    asked: list[object] = []

    class Core:
        def compile_model(self, _model: object, _device: str, settings: dict[str, object]) -> None:
            asked.append(settings["INFERENCE_PRECISION_HINT"])

    library = SimpleNamespace(Core=Core)
    openvino.compile_model(library, None, torch.bfloat16)
    openvino.compile_model(library, None, torch.float32)
    assert asked == ["bf16", "f32"]


KILLED = """
import os, signal
import torch
from sammed.backbones import openvino

encoder = torch.nn.Conv2d(3, 4, 3)
with torch.no_grad():
    encoder.weight.fill_(0.5), encoder.bias.zero_()
torch.set_num_threads(1)
folder = openvino.openvino_folder()

def load():
    return openvino.load_encoder("killed", 64, torch.float32, lambda: encoder)

def killed(is_time):
    child = os.fork()
    if child == 0:
        load()
        os._exit(0)
    over = os.WEXITED | os.WNOHANG | os.WNOWAIT
    while not is_time() and os.waitid(os.P_PID, child, over) is None:
        pass
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)

def begun(name):
    return lambda: any(folder.glob(f"*.tmp/{name}"))

for moment in (begun("encoder.xml"), begun("encoder.bin"), begun("sha256")):
    killed(moment)
    whole = [path for path in folder.iterdir() if path.suffix != ".tmp"]
    assert all(openvino._content_digest(path) == (path / "sha256").read_text() for path in whole), whole
answer = load()(torch.ones(1, 3, 64, 64))
assert torch.equal(answer, load()(torch.ones(1, 3, 64, 64)))
print(answer.unique().item(), (folder / openvino.cache_key("killed")).is_dir())
"""


def test_a_kill_during_conversion_leaves_no_half_encoder(
    start_python: Callable[[str], "subprocess.Popen[str]"],
) -> None:
    process = start_python(KILLED)
    assert process.communicate()[0].split() == ["13.5", "True"]
    assert process.returncode == 0
