"""From a name to a backbone."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from sammed.backbones import lite_medsam, segment_anything, weights
from sammed.backbones.backbone import Backbone
from sammed.backbones.device import choose_device
from sammed.backbones.registry import DEFAULT_BACKBONE, BackboneSpec, TinyVit, backbone_spec
from sammed.errors import CheckpointError

PARTS = ("image_encoder", "prompt_encoder", "mask_decoder")


def load_backbone(
    name: str = DEFAULT_BACKBONE,
    *,
    checkpoint: Path | None = None,
    device: str = "auto",
    precision: str = "float32",
    runtime: str = "torch",
) -> Backbone:
    """A frozen backbone with its weights.

    Raises ConfigError for a name, device, precision or runtime that does not exist here, and
    CheckpointError when the weights are missing, altered or of another architecture.
    """
    spec = backbone_spec(name)
    chosen_device = choose_device(device)
    path = weights.find(spec, checkpoint)
    weights.verify(spec, path)
    tensors = weights.read_tensors(path)
    parts = build_parts(spec)
    for part, module in parts.items():
        _load_part(module, part, tensors, path, spec)
        module.to(chosen_device)
    return Backbone(
        name=spec.name,
        digest=weights.tensors_digest(tensors, label=f"{spec.name} {spec.image_size} {spec.preparation}"),
        image_size=spec.image_size,
        device=chosen_device,
        dtype=torch.float32,
        image_encoder=parts["image_encoder"],
        mask_decoder=parts["mask_decoder"],
        prompt_encoder=parts["prompt_encoder"],
        preparation=spec.preparation,
    )


def build_parts(spec: BackboneSpec) -> dict[str, nn.Module]:
    """Image encoder, prompt encoder and mask decoder, untrained; torch's random state stays as it was."""
    with torch.random.fork_rng(devices=[]):
        if isinstance(spec.architecture, TinyVit):
            image_encoder = lite_medsam.build_image_encoder()
        else:
            image_encoder = segment_anything.build_image_encoder(spec.architecture, spec.image_size)
        prompt_encoder = segment_anything.build_prompt_encoder(spec.image_size)
        mask_decoder = segment_anything.build_mask_decoder()
    return dict(zip(PARTS, (image_encoder, prompt_encoder, mask_decoder), strict=True))


def _load_part(
    module: nn.Module, part: str, tensors: Mapping[str, Tensor], path: Path, spec: BackboneSpec
) -> None:
    prefix = part + "."
    state = {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    try:
        module.load_state_dict(state)
    except RuntimeError:
        wrong = _differences(module.state_dict(), state)
        raise CheckpointError(
            f"{path} does not hold the weights of {spec.name}: {len(wrong)} tensors of its {part} "
            f"are missing, of another shape or too many, such as {part}.{wrong[0]}."
        ) from None


def _differences(wanted: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> list[str]:
    differing = [name for name in wanted if name not in found or found[name].shape != wanted[name].shape]
    return differing + [name for name in found if name not in wanted]
