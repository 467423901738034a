"""The machine: the backbone that a request asks for, on the device and runtime that it names."""

from pathlib import Path
from typing import Protocol, runtime_checkable

from sammed.backbones.backbone import Backbone
from sammed.backbones.loading import load_backbone


@runtime_checkable
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


def backbone_for(request: MachineRequest, name: str) -> Backbone:
    """The backbone of that name as the request wants it."""
    return load_backbone(
        name,
        checkpoint=request.checkpoint,
        device=request.device,
        precision=request.precision,
        runtime=request.runtime,
    )
