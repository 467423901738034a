"""`backbones list|fetch|verify`: the weights of the frozen SAMs on this machine. Does not import torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from sammed.backbones import weights
from sammed.backbones.download import fetch
from sammed.backbones.registry import BACKBONES, DEFAULT_BACKBONE, BackboneSpec, backbone_spec
from sammed.errors import CheckpointError
from sammed.progress import Reporter

WeightsStatus: TypeAlias = Literal["found", "verified", "missing", "damaged"]


@dataclass(frozen=True, slots=True)
class BackbonesListRequest:
    """List all backbones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackbonesFetchRequest:
    """Download the weights of a backbone into `folder`; None is the user's own."""

    name: str
    folder: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BackbonesVerifyRequest:
    """Check the weights of the backbones `names`, by default of all that are here."""

    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WeightsState:
    """The weights of one backbone. `verified` means the published sha256; `problem` states the remedy."""

    name: str
    status: WeightsStatus
    path: Path | None
    problem: str | None = None

    def to_json(self) -> dict[str, object]:
        """Return an entry of the object that `sammed backbones list --json` prints."""
        spec = BACKBONES[self.name]
        return {
            "name": self.name,
            "default": self.name == DEFAULT_BACKBONE,
            "image_size": spec.image_size,
            "description": spec.description,
            "status": self.status,
            "path": None if self.path is None else str(self.path),
            "problem": self.problem,
        }


@dataclass(frozen=True, slots=True)
class BackbonesResult:
    """The weights of several backbones; `required` are the names of those that must be here."""

    states: tuple[WeightsState, ...]
    required: tuple[str, ...] = ()

    def problem(self, state: WeightsState) -> str | None:
        """Return what is wrong with a backbone's weights; they may be missing unless they are required."""
        return state.problem if state.status == "damaged" or state.name in self.required else None

    @property
    def is_good(self) -> bool:
        """Whether no file is damaged and no required one is missing."""
        return not any(self.problem(state) for state in self.states)

    def to_json(self) -> dict[str, object]:
        """Return the object that `sammed backbones list|verify --json` prints."""
        return {"backbones": [state.to_json() for state in self.states]}


@dataclass(frozen=True, slots=True)
class BackbonesFetchResult:
    """Where the weights of a backbone are."""

    backbone: str
    path: Path

    def to_json(self) -> dict[str, object]:
        """Return the object that `sammed backbones fetch --json` prints."""
        return {"backbone": self.backbone, "path": str(self.path)}


def backbones_list(request: BackbonesListRequest, reporter: Reporter) -> BackbonesResult:
    """List the backbones and find their weights."""
    return BackbonesResult(find_weights())


def backbones_fetch(
    request: BackbonesFetchRequest,
    reporter: Reporter,
    progress: Callable[[int, int | None], None] | None = None,
) -> BackbonesFetchResult:
    """Download weights, see `sammed.backbones.download.fetch`, which calls `progress`."""
    return BackbonesFetchResult(request.name, fetch(request.name, request.folder, progress=progress))


def backbones_verify(request: BackbonesVerifyRequest, reporter: Reporter) -> BackbonesResult:
    """Check files of weights against the published sha256."""
    return BackbonesResult(verify_weights(request.names), required=request.names)


def find_weights(names: Sequence[str] = ()) -> tuple[WeightsState, ...]:
    """Find the weights of these backbones, by default of all; no file is read."""
    return tuple(_find(backbone_spec(name)) for name in names or BACKBONES)


def verify_weights(names: Sequence[str] = ()) -> tuple[WeightsState, ...]:
    """Find weights, and check each file against the published sha256, if there is one."""
    return tuple(_verify(state) for state in find_weights(names))


def _find(spec: BackboneSpec) -> WeightsState:
    try:
        return WeightsState(spec.name, "found", weights.find(spec))
    except CheckpointError as error:
        return WeightsState(spec.name, "missing", None, str(error))


def _verify(state: WeightsState) -> WeightsState:
    if state.path is None:
        return state
    try:
        is_published = weights.verify(BACKBONES[state.name], state.path)
    except CheckpointError as error:
        return WeightsState(state.name, "damaged", state.path, str(error))
    except OSError as error:
        problem = f"{state.path} can't be read: {error.strerror or error}."
        return WeightsState(state.name, "damaged", state.path, problem)
    return WeightsState(state.name, "verified" if is_published else "found", state.path)
