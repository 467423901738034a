"""A backbone small enough for every test: Meta's real classes, two layers, 64 pixels."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from segment_anything.modeling import ImageEncoderViT

from sammed.assist.config import AssistConfig
from sammed.auto.classification import ClassificationConfig
from sammed.auto.cross_validation import CrossValidationConfig
from sammed.auto.sap_training import SapTrainingConfig
from sammed.backbones.backbone import Backbone
from sammed.backbones.registry import PixelPreparation
from sammed.backbones.segment_anything import build_mask_decoder, build_prompt_encoder
from sammed.skills.training import SkillConfig

TINY_SIZE = 64
TINY_EMBEDDING = 16


def tiny_sam(seed: int = 0) -> Backbone:
    """A random SAM: image 64 x 64, embedding 256 x 16 x 16, masks 64 x 64; the seed decides its weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder = ImageEncoderViT(
            img_size=TINY_SIZE,
            patch_size=TINY_SIZE // TINY_EMBEDDING,
            embed_dim=32,
            depth=2,
            num_heads=2,
            out_chans=256,
            use_rel_pos=True,
            window_size=8,
            global_attn_indexes=(1,),
        )
        prompt_encoder = build_prompt_encoder(TINY_SIZE, TINY_EMBEDDING)
        mask_decoder = build_mask_decoder()
    return Backbone(
        name="tiny",
        digest=f"tiny-{seed}",
        image_size=TINY_SIZE,
        device=torch.device("cpu"),
        dtype=torch.float32,
        image_encoder=encoder,
        mask_decoder=mask_decoder,
        prompt_encoder=prompt_encoder,
        preparation=PixelPreparation(),
    )


@pytest.fixture(scope="session")
def tiny_backbone() -> Backbone:
    return tiny_sam()


@pytest.fixture(scope="session")
def few_steps() -> Callable[..., SkillConfig]:
    """`few_steps(assist=AssistConfig(...))`: the default SkillConfig with almost no steps."""

    def make(assist: AssistConfig | None = None) -> SkillConfig:
        return SkillConfig(
            assist=replace(assist or AssistConfig(), steps=3, point_steps=3, batch_size=2),
            sap_net=SapTrainingConfig(steps=5),
            choosing=CrossValidationConfig(folds=2, steps=2, thickest_smoothed_mm=0),
            classification=ClassificationConfig(strengths=(0.01,), iterations=5),
        )

    return make


class Notes:
    """A reporter that keeps its messages."""

    def __init__(self) -> None:
        from sammed.progress import Silent

        self.messages: list[str] = []
        self.task = Silent().task

    def message(self, text: str) -> None:
        self.messages.append(text)


@pytest.fixture
def notes() -> Notes:
    return Notes()
