"""Load a backbone by its name."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from sammed.backbones import lite_medsam, segment_anything, weights
from sammed.backbones.backbone import Backbone, TorchDecoder, freeze
from sammed.backbones.device import choose_device
from sammed.backbones.registry import DEFAULT_BACKBONE, BackboneSpec, TinyVit, backbone_spec
from sammed.backbones.runtime import Lazy, choose_runtime, make_decoder, make_encoder
from sammed.backbones.weight_tensors import read_tensors, tensors_digest
from sammed.errors import CheckpointError


def load_backbone(
    name: str = DEFAULT_BACKBONE,
    *,
    checkpoint: Path | None = None,
    device: str = "auto",
    precision: str = "float32",
    runtime: str = "torch",
) -> Backbone:
    """Load a frozen backbone with its weights; the first slice prepares the encoder's runtime.

    `device` is auto, cpu, cuda, cuda:N or mps; `precision` is auto, float32 or bfloat16; `runtime` is auto,
    torch or openvino. Raises ConfigError for an option that does not exist on this machine, and
    CheckpointError if the weights are missing, altered or of another architecture.
    """
    spec = backbone_spec(name)
    chosen_device = choose_device(device)
    chosen_runtime = choose_runtime(chosen_device, runtime, precision)
    path = weights.find(spec, checkpoint)
    weights.verify(spec, path)
    parts = Checkpoint(spec, path, read_tensors(path))
    # The weights and the preparation of pixels together determine an embedding.
    digest = tensors_digest(parts.tensors, f"{spec.name} {spec.image_size} {spec.preparation}")
    encoder = freeze(parts.part("image_encoder"))
    backbone = Backbone(
        name=spec.name,
        digest=digest,
        image_size=spec.image_size,
        device=chosen_device,
        dtype=chosen_runtime.dtype,
        image_encoder=Lazy(
            lambda: make_encoder(chosen_runtime, digest, spec.image_size, lambda: _on(chosen_device, encoder))
        ),
        mask_decoder=parts.part("mask_decoder").to(chosen_device),
        prompt_encoder=parts.part("prompt_encoder").to(chosen_device),
        preparation=spec.preparation,
        runtime=chosen_runtime.name,
    )
    if chosen_runtime.name == "torch":
        return backbone
    of_torch = TorchDecoder(backbone.mask_decoder, backbone.position_encoding)
    return replace(backbone, fast_decoder=Lazy(lambda: make_decoder(digest, of_torch)))


def _on(device: torch.device, encoder: nn.Module) -> nn.Module:
    encoder = encoder.to(device)
    # cuDNN's convolutions are fastest with the channels last.
    return encoder.to(memory_format=torch.channels_last) if device.type == "cuda" else encoder


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """The tensors of a file of weights, and the backbone that they should belong to."""

    spec: BackboneSpec
    path: Path
    tensors: Mapping[str, Tensor]

    def part(self, name: str) -> nn.Module:
        """Build `image_encoder`, `prompt_encoder` or `mask_decoder` with its weights: CPU, float32.

        Raises CheckpointError if the weights don't fit.
        """
        module = build_part(self.spec, name)
        prefix = name + "."
        state = {
            key.removeprefix(prefix): _as_float32(tensor)
            for key, tensor in self.tensors.items()
            if key.startswith(prefix)
        }
        wrong = _differences(module.state_dict(), state)
        if wrong:
            raise CheckpointError(
                f"{self.path} does not contain the weights of {self.spec.name}: tensors of the {name} are "
                f"missing, unexpected or have another shape ({len(wrong)}, such as {prefix}{wrong[0]})."
            )
        module.load_state_dict(state, assign=True)
        return module


def build_part(spec: BackboneSpec, name: str) -> nn.Module:
    """Build one part of a backbone without weights; torch's random state does not change.

    The checkpoint has every number of Meta's classes, so they are built on `meta`, which takes no memory and
    no random numbers. TinyViT can't be: its constructor computes tables.
    """
    with torch.device("meta"):
        if name == "prompt_encoder":
            return segment_anything.build_prompt_encoder(spec.image_size)
        if name == "mask_decoder":
            return segment_anything.build_mask_decoder()
        if not isinstance(spec.architecture, TinyVit):
            return segment_anything.build_image_encoder(spec.architecture, spec.image_size)
    with torch.random.fork_rng(devices=[]):
        return lite_medsam.build_image_encoder()


def _as_float32(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor


def _differences(wanted: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> list[str]:
    differing = [name for name in wanted if name not in found or found[name].shape != wanted[name].shape]
    return differing + [name for name in found if name not in wanted]
