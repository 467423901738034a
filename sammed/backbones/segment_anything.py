"""The parts of SAM, built with Meta's classes from the package `segment_anything`."""

from functools import partial

from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, TwoWayTransformer
from torch import nn

from sammed.backbones.attention import fuse_attention
from sammed.backbones.registry import Vit

EMBED_DIM = 256
EMBEDDING_SIZE = 64
PATCH_SIZE = 16


def build_image_encoder(architecture: Vit, image_size: int) -> nn.Module:
    """Build SAM's image encoder with untrained weights: pixels B 3 S S -> B 256 S/16 S/16."""
    encoder: nn.Module = ImageEncoderViT(
        depth=architecture.depth,
        embed_dim=architecture.embed_dim,
        img_size=image_size,
        mlp_ratio=4,
        norm_layer=partial(nn.LayerNorm, eps=1e-6),
        num_heads=architecture.num_heads,
        patch_size=PATCH_SIZE,
        qkv_bias=True,
        use_rel_pos=True,
        global_attn_indexes=architecture.global_attention,
        window_size=14,
        out_chans=EMBED_DIM,
    )
    return encoder


def build_prompt_encoder(image_size: int, embedding_size: int = EMBEDDING_SIZE) -> nn.Module:
    """Build SAM's prompt encoder with untrained weights, for a square image and a square embedding."""
    encoder: nn.Module = PromptEncoder(
        embed_dim=EMBED_DIM,
        image_embedding_size=(embedding_size, embedding_size),
        input_image_size=(image_size, image_size),
        mask_in_chans=16,
    )
    return encoder


def build_mask_decoder() -> nn.Module:
    """Build SAM's mask decoder with untrained weights and fused attention."""
    decoder: nn.Module = MaskDecoder(
        num_multimask_outputs=3,
        transformer=TwoWayTransformer(depth=2, embedding_dim=EMBED_DIM, mlp_dim=2048, num_heads=8),
        transformer_dim=EMBED_DIM,
        iou_head_depth=3,
        iou_head_hidden_dim=256,
    )
    return fuse_attention(decoder)
