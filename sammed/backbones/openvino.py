"""Parts of a backbone that OpenVINO runs: converted once, kept in the cache, compiled when loaded."""

import hashlib
import logging
import shutil
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from sammed.backbones.folders import openvino_folder
from sammed.version import __version__
from sammed_volumes.file_digest import sha256_of

logger = logging.getLogger("sammed")
LEFTOVER_S = 3600  # no conversion takes an hour: an older temporary folder belongs to a killed process
TOLERANCE = 1e-3  # relative to the largest output; OpenVINO and torch differ by 1e-5 in float32
OWN_TOKENS = 5  # tokens that the mask decoder adds to those of the prompt

_NAMES = {"encoder": "image encoder", "decoder": "mask decoder"}


class ConversionError(Exception):
    """OpenVINO can't reproduce what torch computes; the caller falls back to torch."""


@dataclass(frozen=True, slots=True, eq=False)
class OpenVinoEncoder:
    """An image encoder that OpenVINO runs on the CPU. Calls must not overlap: they share buffers."""

    compiled: Any  # openvino.CompiledModel, which has no types

    def __call__(self, pixels: Float[Tensor, "B 3 S S"]) -> Float[Tensor, "B 256 h w"]:
        """Return embeddings, computed slice by slice: batches are no faster on a CPU."""
        slices = pixels.numpy()
        return torch.from_numpy(np.concatenate([self.compiled(one[None])[0] for one in slices]))


@dataclass(frozen=True, slots=True, eq=False)
class OpenVinoDecoder:
    """A mask decoder that OpenVINO runs on the CPU. Calls must not overlap."""

    compiled: Any  # openvino.CompiledModel

    def __call__(
        self, image_and_dense: Float[Tensor, "B 256 h w"], sparse: Float[Tensor, "B N 256"]
    ) -> tuple[Float[Tensor, "B 1 M M"], Float[Tensor, "B 1"]]:
        """Return mask logits and predicted IoUs, computed prompt by prompt."""
        pairs = zip(image_and_dense.numpy(), sparse.numpy(), strict=True)
        found = [self.compiled((image[None], tokens[None])) for image, tokens in pairs]
        masks, iou = (np.concatenate([each[output] for each in found]) for output in (0, 1))
        return torch.from_numpy(masks), torch.from_numpy(iou)


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A part to convert: its name, a function that builds it, example inputs, and their dynamic axes."""

    name: str
    build: Callable[[], nn.Module]
    example: tuple[Tensor, ...]
    free_axes: tuple[dict[int, Any] | None, ...]


def load_encoder(
    digest: str, image_size: int, dtype: torch.dtype, build: Callable[[], nn.Module]
) -> OpenVinoEncoder:
    """Load the encoder of the backbone with that digest from the cache, or convert what `build` returns.

    Raises ConversionError if OpenVINO can't convert the encoder or computes something other than torch does.
    """
    example = _random(1, 3, image_size, image_size)
    return OpenVinoEncoder(_load(digest, Part("encoder", build, (example,), (None,)), dtype))


def load_decoder(digest: str, embedding_size: int, build: Callable[[], nn.Module]) -> OpenVinoDecoder:
    """Load or convert the mask decoder, in float32; `build` returns a module with the same call signature."""
    example = (_random(1, 256, embedding_size, embedding_size), _random(1, 3, 256))
    most = embedding_size**2 - OWN_TOKENS - 1  # `FusedAttention` branches at as many tokens as cells
    free = (None, {1: torch.export.Dim("tokens", min=2, max=most)})
    return OpenVinoDecoder(_load(digest, Part("decoder", build, example, free), torch.float32))


def _load(digest: str, part: Part, dtype: torch.dtype) -> Any:
    """Return the part, compiled for this processor."""
    try:
        openvino = import_openvino()
        folder = openvino_folder() / cache_key(digest, part.name)
        model = _read(openvino, folder, part.name)
        if model is None:
            module = part.build()
            model = _convert(openvino, module, part)
            _check(openvino, model, module, part)
            _keep(openvino, model, folder, part.name)
        return compile_model(openvino, model, dtype)
    except (ImportError, OSError, RuntimeError) as error:  # a shared library that fails to load: OSError
        raise ConversionError(_first_line(error)) from error


def cache_key(digest: str, part: str = "encoder") -> str:
    """Return a part's name in the cache. It contains both versions: another version converts again."""
    kind = "" if part == "encoder" else f"{part}-"
    return f"{digest[:16]}-{kind}sammed-{__version__}-openvino-{version('openvino')}"


def import_openvino() -> Any:
    """Import the library openvino, without its telemetry.

    A plain import reports to a web service and leaves files in the user's home directory, without asking.
    It does neither when its telemetry package can't be imported, so that package is hidden meanwhile.
    """
    hidden = "openvino_telemetry"
    if "openvino" not in sys.modules and hidden not in sys.modules:
        sys.modules[hidden] = None  # type: ignore[assignment]
        try:
            import openvino
        finally:
            del sys.modules[hidden]
        return openvino
    import openvino

    return openvino


def compile_model(openvino: Any, model: Any, dtype: torch.dtype) -> Any:
    """Compile a model for this processor, with as many threads as torch uses."""
    return openvino.Core().compile_model(
        model,
        "CPU",
        {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "bf16" if dtype == torch.bfloat16 else "f32",
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        },
    )


def _convert(openvino: Any, module: nn.Module, part: Part) -> Any:
    logger.info("Converting the %s for OpenVINO, once; this may take a minute.", _NAMES[part.name])
    try:
        with torch.no_grad():
            exported = torch.export.export(module, part.example, dynamic_shapes=part.free_axes)
        with _root_logger_kept():
            return openvino.convert_model(exported)
    except Exception as error:  # two compilers run here, and each raises errors of its own kinds
        raise ConversionError(_first_line(error)) from error


@contextmanager
def _root_logger_kept() -> Iterator[None]:
    """Restore the root logger, which OpenVINO's converter silences and gives a handler."""
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    try:
        yield
    finally:
        root.setLevel(level)
        root.handlers[:] = handlers


def _check(openvino: Any, model: Any, module: nn.Module, part: Part) -> None:
    """Compare a new conversion with torch, so that a wrong one never labels a slice."""
    with torch.no_grad():
        first = module(*part.example)
    wanted = first if isinstance(first, Tensor) else first[0]
    compiled = compile_model(openvino, model, torch.float32)
    found = torch.from_numpy(compiled(tuple(each.numpy() for each in part.example))[0])
    difference = float((found - wanted).abs().max() / wanted.abs().max())
    if not difference <= TOLERANCE:
        raise ConversionError(f"the converted {part.name} differs from torch's by {difference:.1e}")


def _random(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


def _keep(openvino: Any, model: Any, folder: Path, name: str) -> None:
    """Write a converted model to the cache; if that fails, warn and go on without the cache.

    The files are written to a temporary folder, which is then renamed. If another process was faster, its
    folder stays.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(folder.parent)
        with _temporary_folder(folder) as temporary:
            openvino.save_model(model, temporary / f"{name}.xml", compress_to_fp16=False)
            (temporary / "sha256").write_text(_content_digest(temporary, name))
            _move_into_place(temporary, folder)
    except (OSError, RuntimeError) as error:
        logger.warning("%s can't be written (%s); the next run converts the %s again.", folder, error, name)


def _move_into_place(temporary: Path, folder: Path) -> None:
    try:
        temporary.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise


@contextmanager
def _temporary_folder(beside: Path) -> Iterator[Path]:
    temporary = beside.with_name(f"{beside.name}.{uuid.uuid4().hex}.tmp")
    temporary.mkdir()
    try:
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _remove_leftovers(folder: Path) -> None:
    for leftover in folder.glob("*.tmp"):
        if time.time() - leftover.stat().st_mtime > LEFTOVER_S:
            shutil.rmtree(leftover, ignore_errors=True)


def _read(openvino: Any, folder: Path, name: str) -> Any:
    """Return the model from the cache, or None. A damaged one is removed."""
    if not folder.is_dir():
        return None
    try:
        if (folder / "sha256").read_text() == _content_digest(folder, name):
            return openvino.Core().read_model(folder / f"{name}.xml")
    except (OSError, RuntimeError):
        pass
    logger.warning("The converted %s in %s is damaged and will be converted again.", name, folder)
    shutil.rmtree(folder, ignore_errors=True)
    return None


def _content_digest(folder: Path, name: str = "encoder") -> str:
    both = sha256_of(folder / f"{name}.xml") + sha256_of(folder / f"{name}.bin")
    return hashlib.sha256(both.encode()).hexdigest()


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
