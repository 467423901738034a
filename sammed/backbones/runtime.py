"""The runtime of the networks, torch or OpenVINO, and its precision."""

import importlib.util
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, ParamSpec, TypeVar

import torch
from torch import nn

from sammed.backbones import openvino
from sammed.backbones.backbone import ImageEncoder, MaskDecoder, TorchDecoder
from sammed.errors import ConfigError

RUNTIMES = ("auto", "torch", "openvino")
PRECISIONS = ("auto", "float32", "bfloat16")
logger = logging.getLogger("sammed")


@dataclass(frozen=True, slots=True)
class Runtime:
    """A runtime that this machine has: `name` is torch or openvino."""

    name: str
    dtype: torch.dtype


def choose_runtime(device: torch.device, runtime: str = "auto", precision: str = "auto") -> Runtime:
    """Resolve the options `runtime` and `precision` for this machine.

    Runtime `auto` is OpenVINO on a CPU and torch elsewhere. Precision `auto` is bfloat16 if the hardware
    supports it. If OpenVINO is not installed, logs a warning and uses torch. Raises ConfigError for options
    that are unknown, contradict each other or need other hardware.
    """
    for value, known, what in ((runtime, RUNTIMES, "runtime"), (precision, PRECISIONS, "precision")):
        if value not in known:
            raise ConfigError(f"There is no {what} {value!r}; there are {', '.join(known)}.")
    name = _choose_name(device, runtime)
    if precision == "float32" or (precision == "auto" and not has_bfloat16(device, name)):
        return Runtime(name, torch.float32)
    if not has_bfloat16(device, name):
        raise ConfigError(
            f"{name} does not support bfloat16 on {device}: it needs CUDA, or OpenVINO on a processor "
            "with AVX512-BF16 or AMX; use --precision float32 or auto."
        )
    return Runtime(name, torch.bfloat16)


def _choose_name(device: torch.device, runtime: str) -> str:
    if runtime == "openvino" and device.type != "cpu":
        raise ConfigError(
            f"sammed runs OpenVINO only on the CPU, not on {device}; use --device cpu or --runtime torch."
        )
    if runtime == "torch" or device.type != "cpu":
        return "torch"
    if importlib.util.find_spec("openvino") is None:
        logger.warning("OpenVINO is not installed; encoding the slices with torch, which is slower.")
        return "torch"
    return "openvino"


def has_bfloat16(device: torch.device, name: str) -> bool:
    """Whether the runtime of that name computes faster in bfloat16 than in float32 on the device.

    A CPU needs AVX512-BF16 or AMX for that. The answer is no if OpenVINO fails to load.
    """
    if name == "openvino":
        try:
            core = openvino.import_openvino().Core()
            return "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        except (ImportError, OSError, RuntimeError):
            return False
    return device.type == "cuda" and torch.cuda.is_bf16_supported()


def make_encoder(
    runtime: Runtime, digest: str, image_size: int, build: Callable[[], nn.Module]
) -> ImageEncoder:
    """Return the image encoder.

    `build` returns the torch module with its weights; it isn't called if the cache has a converted encoder.
    If OpenVINO fails on the model, logs a warning and returns the torch module, which runs in float32.
    """
    if runtime.name == "torch":
        return build()
    try:
        return openvino.load_encoder(digest, image_size, runtime.dtype, build)
    except openvino.ConversionError as error:
        logger.warning("OpenVINO can't run this backbone (%s); encoding the slices with torch.", error)
        return build()


def make_decoder(digest: str, decoder: TorchDecoder) -> MaskDecoder:
    """Return the mask decoder for inference, run by OpenVINO; if that fails, `decoder` itself."""
    try:
        return openvino.load_decoder(digest, decoder.embedding_size, lambda: decoder)
    except openvino.ConversionError as error:
        logger.warning("OpenVINO can't run this backbone's decoder (%s); decoding masks with torch.", error)
        return decoder


P = ParamSpec("P")
R = TypeVar("R")


class Lazy(Generic[P, R]):
    """A part of a backbone that is loaded, and if necessary converted, by its first call.

    Loading takes seconds to minutes, for nothing if all embeddings are in the cache.
    """

    def __init__(self, load: Callable[[], Callable[P, R]]) -> None:
        self._load: Callable[[], Callable[P, R]] | None = load
        self._part: Callable[P, R] | None = None
        self._lock = threading.Lock()

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the part."""
        return self.loaded()(*args, **kwargs)

    def loaded(self) -> Callable[P, R]:
        """Return the part itself; the first call loads it and raises what loading raises."""
        with self._lock:
            if self._part is None and self._load is not None:
                self._part = self._load()
                self._load = None  # frees what it holds, such as torch's encoder
            assert self._part is not None
            return self._part
