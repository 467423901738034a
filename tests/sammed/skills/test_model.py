"""A skill fits one backbone and no other."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from sammed.annotations.annotations import Annotations
from sammed.backbones.backbone import Backbone
from sammed.errors import SkillError
from sammed.skills.model import SkillModel
from sammed_volumes.intensity import Window
from sammed_volumes.labels import Label

LIVER = Label(1, "liver", (200, 40, 60))


@pytest.fixture
def skill(tiny_backbone: Backbone) -> SkillModel:
    """A prompt encoder whose weights are the backbone's, each a little higher."""
    pretrained = tiny_backbone.prompt_encoder.named_parameters()
    encoder = {f"{part}.{name}": weight + 0.5 for name, weight in pretrained for part in ("points", "boxes")}
    return SkillModel(
        backbone="tiny",
        backbone_digest=tiny_backbone.digest,
        plane="axial",
        axis=2,
        window=Window(-100.0, 200.0, "hu"),
        labels=(LIVER,),
        encoders={1: encoder},
        annotations=Annotations((3,), np.ones((1, 4, 5), np.uint8), (LIVER,)),
        volume_sha256="0" * 64,
        prompts="composite",
        seed=0,
    )


def test_the_prompt_encoder_is_the_learned_one_and_frozen(skill: SkillModel, tiny_backbone: Backbone) -> None:
    before = {name: weight.clone() for name, weight in tiny_backbone.prompt_encoder.state_dict().items()}
    encoder = skill.prompt_encoder(tiny_backbone, LIVER)
    for name, weight in encoder.named_parameters():
        assert weight.equal(before[name.split(".", 1)[1]] + 0.5), name
        assert not weight.requires_grad
    assert not encoder.training
    for name, weight in tiny_backbone.prompt_encoder.state_dict().items():
        assert torch.equal(weight, before[name]), f"the backbone's own {name} changed"


def test_how_many_numbers_were_learned(skill: SkillModel) -> None:
    assert skill.learned_numbers == 2 * 6220  # SAM's prompt encoder without its Fourier matrix, twice


def test_another_backbone(skill: SkillModel, tiny_backbone: Backbone) -> None:
    skill.check_backbone(tiny_backbone)
    with pytest.raises(
        SkillError, match="learned on the backbone sam-vit-b, not on tiny; use --backbone sam-vit-b"
    ):
        replace(skill, backbone="sam-vit-b").check_backbone(tiny_backbone)
    with pytest.raises(SkillError, match="other weights of tiny: their digests differ"):
        replace(skill, backbone_digest="tiny-1").check_backbone(tiny_backbone)


def test_weights_of_another_shape(skill: SkillModel, tiny_backbone: Backbone) -> None:
    wrong = {"points.no_mask_embed.weight": torch.zeros(1, 128)}
    with pytest.raises(SkillError, match="'liver' does not fit tiny"):
        replace(skill, encoders={1: wrong}).prompt_encoder(tiny_backbone, LIVER)
    with pytest.raises(SkillError, match="'liver' does not fit tiny"):
        replace(skill, encoders={1: {"unknown": torch.zeros(1)}}).prompt_encoder(tiny_backbone, LIVER)


def test_no_generator(skill: SkillModel) -> None:
    with pytest.raises(SkillError, match="no generator; learn one with `sammed auto-train`"):
        skill.require_auto()
