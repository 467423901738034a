"""The weights of the backbones on this machine: where they lie, whether they are whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from sammed.backbones.registry import BACKBONES, DEFAULT_BACKBONE, BackboneSpec, backbone_spec
from sammed.errors import CheckpointError

WeightsStatus: TypeAlias = Literal["found", "verified", "missing", "damaged"]


@dataclass(frozen=True, slots=True)
class WeightsState:
    """The weights of one backbone. `verified` means the published sha256; `problem` says what to do."""

    name: str
    status: WeightsStatus
    path: Path | None
    problem: str | None = None

    def to_json(self) -> dict[str, object]:
        """An entry of the object that `sammed backbones list --json` prints."""
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


def find_weights(names: Sequence[str] = ()) -> tuple[WeightsState, ...]:
    """Where the weights of these backbones lie, of all by default; nothing is read."""
    return tuple(_find(backbone_spec(name)) for name in names or BACKBONES)


def verify_weights(names: Sequence[str] = ()) -> tuple[WeightsState, ...]:
    """As `find_weights`, and each file is held against the published sha256, where there is one."""
    return tuple(_verify(state) for state in find_weights(names))


def _find(spec: BackboneSpec) -> WeightsState:
    from sammed.backbones.weights import find

    try:
        return WeightsState(spec.name, "found", find(spec))
    except (CheckpointError, ImportError, FileNotFoundError) as error:
        return WeightsState(spec.name, "missing", None, str(error))


def _verify(state: WeightsState) -> WeightsState:
    from sammed.backbones.weights import verify

    if state.path is None:
        return state
    try:
        is_published = verify(BACKBONES[state.name], state.path)
    except CheckpointError as error:
        return WeightsState(state.name, "damaged", state.path, str(error))
    except OSError as error:
        problem = f"{state.path} can't be read: {error.strerror or error}."
        return WeightsState(state.name, "damaged", state.path, problem)
    return WeightsState(state.name, "verified" if is_published else "found", state.path)
