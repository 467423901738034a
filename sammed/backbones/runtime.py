"""What runs the image encoder, torch or OpenVINO, and with which precision."""

import importlib.util
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, ParamSpec, TypeVar

import torch
from torch import nn

from sammed.backbones import openvino as converted
from sammed.backbones.backbone import ImageEncoder, MaskDecoder, TorchDecoder
from sammed.errors import ConfigError

RUNTIMES = ("auto", "torch", "openvino")
PRECISIONS = ("auto", "float32", "bfloat16")
logger = logging.getLogger("sammed")


@dataclass(frozen=True, slots=True)
class Runtime:
    """A choice that this machine can carry out: `name` is torch or openvino."""

    name: str
    dtype: torch.dtype


def choose_runtime(device: torch.device, runtime: str = "auto", precision: str = "auto") -> Runtime:
    """What those words mean on this machine.

    Runtime `auto` is OpenVINO on a CPU and torch elsewhere; precision `auto` is bfloat16 where the
    hardware has it. Where OpenVINO is not installed a warning says that torch is used. What contradicts
    itself or is not there raises ConfigError.
    """
    for value, known, what in ((runtime, RUNTIMES, "runtime"), (precision, PRECISIONS, "precision")):
        if value not in known:
            raise ConfigError(f"There is no {what} {value!r}; there are {', '.join(known)}.")
    name = _choose_name(device, runtime)
    if precision == "float32" or (precision == "auto" and not has_bfloat16(device, name)):
        return Runtime(name, torch.float32)
    if not has_bfloat16(device, name):
        raise ConfigError(
            f"bfloat16 can't be had with {name} on {device}: it needs CUDA, or OpenVINO on a processor "
            "with AVX512-BF16 or AMX; say --precision float32 or auto."
        )
    return Runtime(name, torch.bfloat16)


def _choose_name(device: torch.device, runtime: str) -> str:
    if runtime == "openvino" and device.type != "cpu":
        raise ConfigError(
            f"OpenVINO runs on the CPU here, not on {device}; say --device cpu or --runtime torch."
        )
    if runtime == "torch" or device.type != "cpu":
        return "torch"
    if importlib.util.find_spec("openvino") is None:
        logger.warning("OpenVINO is not installed, so torch encodes the slices, which takes longer.")
        return "torch"
    return "openvino"


def has_bfloat16(device: torch.device, name: str) -> bool:
    """Whether that runtime computes in bfloat16 on that device faster than in float32.

    On a CPU it takes AVX512-BF16 or AMX. Where OpenVINO can't be asked the answer is no.
    """
    if name == "openvino":
        try:
            core = converted.import_openvino().Core()
            return "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        except (ImportError, OSError, RuntimeError):
            return False
    return device.type == "cuda" and torch.cuda.is_bf16_supported()


def make_encoder(
    runtime: Runtime, digest: str, image_size: int, build: Callable[[], nn.Module]
) -> ImageEncoder:
    """The image encoder.

    `build` makes the torch module with its weights; it isn't called when a converted one lies in the
    cache. Where OpenVINO fails on the model a warning says so and torch runs it, in float32.
    """
    if runtime.name == "torch":
        return build()
    try:
        return converted.load_encoder(digest, image_size, runtime.dtype, build)
    except converted.ConversionError as error:
        logger.warning("OpenVINO can't run this backbone (%s), so torch encodes the slices.", error)
        return build()


def make_decoder(digest: str, decoder: TorchDecoder) -> MaskDecoder:
    """The mask decoder by OpenVINO, for masks that nothing is learned from; torch's own where that fails."""
    try:
        return converted.load_decoder(digest, decoder.embedding_size, lambda: decoder)
    except converted.ConversionError as error:
        logger.warning("OpenVINO can't run this backbone's decoder (%s), so torch decodes the masks.", error)
        return decoder


P = ParamSpec("P")
R = TypeVar("R")


class Lazy(Generic[P, R]):
    """A part of a backbone that is made ready, and if need be converted, when it is first called.

    That takes seconds or minutes, and where all embeddings are at hand already nothing has to be encoded.
    """

    def __init__(self, load: Callable[[], Callable[P, R]]) -> None:
        self._load: Callable[[], Callable[P, R]] | None = load
        self._part: Callable[P, R] | None = None
        self._lock = threading.Lock()

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """What the part itself returns."""
        return self.loaded()(*args, **kwargs)

    def loaded(self) -> Callable[P, R]:
        """The part itself; the first call loads it and raises what loading raises."""
        with self._lock:
            if self._part is None and self._load is not None:
                self._part = self._load()
                self._load = None  # what it holds, torch's encoder beside a converted one, may go
            assert self._part is not None
            return self._part
