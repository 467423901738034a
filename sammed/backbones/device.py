"""The device that a backbone computes on."""

import torch

from sammed.errors import ConfigError


def choose_device(device: str = "auto") -> torch.device:
    """Return the device of that name; `auto` prefers CUDA, then MPS. Raises ConfigError if it is missing."""
    if device == "auto":
        return torch.device(_best())
    try:
        chosen = torch.device(device)
    except RuntimeError:
        raise ConfigError(f"There is no device {device!r}; use auto, cpu, cuda, cuda:N or mps.") from None
    _check_available(chosen)
    return chosen


def _best() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _check_available(device: torch.device) -> None:
    if device.type not in ("cpu", "cuda", "mps"):
        raise ConfigError(f"sammed does not run on {device.type!r}; use auto, cpu, cuda, cuda:N or mps.")
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ConfigError("torch finds no CUDA device on this machine; use --device cpu or auto.")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        count = torch.cuda.device_count()
        raise ConfigError(f"There is no device {device}; the number of CUDA devices is {count}.")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise ConfigError("torch finds no MPS device on this machine; use --device cpu or auto.")
