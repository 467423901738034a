"""The machine: the backbone that a request asks for, on the device and runtime that it names."""

from pathlib import Path
from typing import Protocol

from sammed.backbones.backbone import Backbone
from sammed.backbones.loading import load_backbone
from sammed.backbones.registry import DEFAULT_BACKBONE
from sammed.errors import ConfigError
from sammed.jobs.inputs import naming
from sammed.skills.model import Skill


class MachineRequest(Protocol):
    """What all requests that need a backbone say of it."""

    @property
    def checkpoint(self) -> Path | None:
        """A file of weights, None for the usual places."""

    @property
    def device(self) -> str:
        """auto, cpu, cuda, cuda:N or mps."""

    @property
    def precision(self) -> str:
        """auto, float32 or bfloat16."""

    @property
    def runtime(self) -> str:
        """auto, torch or openvino."""


class SkillRequest(MachineRequest, Protocol):
    """What requests say that can do without a skill."""

    @property
    def skill(self) -> Path | None:
        """A skill, None for the plain backbone."""

    @property
    def backbone(self) -> str:
        """The plain backbone."""


def backbone_of(request: SkillRequest, skill: Skill | None) -> Backbone:
    """The skill's own backbone, or the one that the request names.

    Raises ConfigError where the request names another than the skill's, SkillError where its weights differ.
    """
    if skill is None or request.skill is None:
        return backbone_for(request, request.backbone)
    if request.backbone not in (DEFAULT_BACKBONE, skill.backbone):
        raise ConfigError(
            f"{request.skill} was learned with {skill.backbone}: leave out --backbone {request.backbone}."
        )
    backbone = backbone_for(request, skill.backbone)
    with naming(request.skill):
        skill.check_backbone(backbone)
    return backbone


def backbone_for(request: MachineRequest, name: str) -> Backbone:
    """The backbone of that name as the request wants it."""
    return load_backbone(
        name,
        checkpoint=request.checkpoint,
        device=request.device,
        precision=request.precision,
        runtime=request.runtime,
    )
