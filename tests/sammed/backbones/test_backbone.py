import dataclasses
import itertools

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from segment_anything.modeling import PromptEncoder
from torch import Tensor, nn

from sammed.backbones.backbone import Backbone, TorchDecoder
from sammed.backbones.registry import MEDSAM_PIXELS, SAM_PIXELS
from sammed.backbones.sparse_masks import CELLS_ACROSS, STRIDE, Cell, cells_of, thinned

CELLS = tuple(itertools.product(range(STRIDE), repeat=2))


def slices(count: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).random((count, 64, 48), dtype=np.float32)


def encoded(backbone: Backbone, count: int) -> Tensor:
    frame = backbone.frame(64, 48, (1.0, 1.0))
    return backbone.encode(torch.stack([backbone.prepare(image, frame) for image in slices(count)]))


def prompts(backbone: Backbone, count: int) -> tuple[Tensor, Tensor]:
    points = torch.rand(count, 3, 2, generator=torch.Generator().manual_seed(1)) * 64
    signs = torch.tensor([[1, 0, -1]] * count)
    masks = torch.randn(count, 1, 64, 64, generator=torch.Generator().manual_seed(2))
    sparse, dense = backbone.prompt_encoder(points=(points, signs), boxes=None, masks=masks)
    return sparse, dense


def test_shapes_of_the_tiny_backbone(tiny_backbone: Backbone) -> None:
    embeddings = encoded(tiny_backbone, 2)
    masks, iou = tiny_backbone.decode(embeddings, *prompts(tiny_backbone, 2))
    assert (embeddings.shape, embeddings.dtype) == ((2, 256, 16, 16), torch.float32)
    assert (masks.shape, iou.shape) == ((2, 1, 64, 64), (2, 1))
    assert tiny_backbone.embedding_size == 16


def test_decoding_different_images_together_is_decoding_them_one_by_one(tiny_backbone: Backbone) -> None:
    """Meta's own way to call the decoder: one image, its embedding in `image_embeddings`."""
    embeddings = encoded(tiny_backbone, 4)
    sparse, dense = prompts(tiny_backbone, 4)
    together = tiny_backbone.decode(embeddings, sparse, dense)
    prompt_encoder = tiny_backbone.prompt_encoder
    assert isinstance(prompt_encoder, PromptEncoder)
    for b in range(4):
        masks, iou = tiny_backbone.mask_decoder(
            image_embeddings=embeddings[b : b + 1],
            image_pe=prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse[b : b + 1],
            dense_prompt_embeddings=dense[b : b + 1],
            multimask_output=False,
        )
        torch.testing.assert_close(together[0][b : b + 1], masks, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(together[1][b : b + 1], iou, atol=1e-5, rtol=1e-4)


def test_one_embedding_or_one_dense_prompt_serves_all(tiny_backbone: Backbone) -> None:
    embedding = encoded(tiny_backbone, 1)
    sparse, dense = prompts(tiny_backbone, 3)
    wanted = tiny_backbone.decode(embedding.expand(3, -1, -1, -1), sparse, dense)[0]
    torch.testing.assert_close(tiny_backbone.decode(embedding, sparse, dense)[0], wanted)
    wanted = tiny_backbone.decode(embedding, sparse, dense[:1].expand(3, -1, -1, -1))[0]
    torch.testing.assert_close(tiny_backbone.decode(embedding, sparse, dense[:1])[0], wanted)


@pytest.mark.parametrize("cell", CELLS)
def test_sparse_masks_are_the_cells_of_whole_masks(tiny_backbone: Backbone, cell: Cell) -> None:
    embeddings = thinned(encoded(tiny_backbone, 2), cell)
    sparse, dense = prompts(tiny_backbone, 2)
    seen = embeddings + thinned(dense, cell)
    whole, iou = TorchDecoder(tiny_backbone.mask_decoder, thinned(tiny_backbone.position_encoding, cell))(
        seen, sparse
    )
    some, same_iou = tiny_backbone.sparse_decoder(cell)(seen, sparse)
    row, column = cell[0] % CELLS_ACROSS, cell[1] % CELLS_ACROSS
    wanted = whole[..., row::CELLS_ACROSS, column::CELLS_ACROSS]
    torch.testing.assert_close(some, wanted, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(same_iou, iou)


@pytest.mark.parametrize("cell", CELLS)
def test_thinned_embeddings_are_those_below_the_mask_cells(cell: Cell) -> None:
    embedding = torch.arange(64.0).reshape(8, 8)
    mask = embedding.repeat_interleave(CELLS_ACROSS, 0).repeat_interleave(CELLS_ACROSS, 1)
    assert torch.equal(cells_of(mask, cell), thinned(embedding, cell))


def test_the_sparse_decoder_shares_the_decoders_weights(tiny_backbone: Backbone) -> None:
    shared = {weight.untyped_storage().data_ptr() for weight in tiny_backbone.mask_decoder.parameters()}
    own = [
        name
        for name, weight in tiny_backbone.sparse_decoder((3, 2)).named_parameters()
        if weight.untyped_storage().data_ptr() not in shared
    ]
    assert own == [], "a copy of the decoder would double its memory"


def test_embeddings_in_half_precision_can_be_decoded(tiny_backbone: Backbone) -> None:
    embeddings = encoded(tiny_backbone, 2)
    sparse, dense = prompts(tiny_backbone, 2)
    full, _ = tiny_backbone.decode(embeddings, sparse, dense)
    half, _ = tiny_backbone.decode(embeddings.half(), sparse, dense)
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, full, atol=0.01 * float(full.abs().max()), rtol=0)


def test_training_changes_the_new_prompt_encoder_and_nothing_else(
    tiny_backbone: Backbone, tiny_encoder: nn.Module
) -> None:
    parts = (tiny_encoder, tiny_backbone.mask_decoder, tiny_backbone.prompt_encoder)
    before = [{name: t.clone() for name, t in part.state_dict().items()} for part in parts]
    learned = tiny_backbone.new_prompt_encoder()
    start = {name: t.detach().clone() for name, t in learned.named_parameters()}
    optimizer = torch.optim.Adam(learned.parameters(), lr=1e-2)
    embeddings = encoded(tiny_backbone, 2)
    points = (torch.tensor([[[10.0, 20.0], [30.0, 5.0]]] * 2), torch.tensor([[1, 0]] * 2))
    for _ in range(2):
        optimizer.zero_grad()
        sparse, dense = learned(points=points, boxes=None, masks=None)
        masks, _ = tiny_backbone.decode(embeddings, sparse, dense)
        masks.square().mean().backward()
        optimizer.step()
    for part, state in zip(parts, before, strict=True):
        assert not part.training
        assert all(p.grad is None and not p.requires_grad for p in part.parameters())
        assert all(torch.equal(t, state[name]) for name, t in part.state_dict().items())
    moved = {name for name, t in learned.named_parameters() if not torch.equal(t, start[name])}
    assert {"point_embeddings.0.weight", "point_embeddings.1.weight", "no_mask_embed.weight"} <= moved


def test_the_constructor_freezes_the_modules(tiny_backbone: Backbone) -> None:
    trainable = tiny_backbone.new_prompt_encoder().train()
    made = dataclasses.replace(tiny_backbone, prompt_encoder=trainable)
    assert not made.prompt_encoder.training
    assert not any(p.requires_grad for p in made.prompt_encoder.parameters())


def test_sams_pixels_are_normalized_before_they_are_padded(tiny_backbone: Backbone) -> None:
    sam = dataclasses.replace(tiny_backbone, preparation=SAM_PIXELS)
    pixels = sam.prepare(np.ones((64, 32), np.float32), sam.frame(64, 32, (1.0, 1.0)))
    means, deviations = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)  # SAM's, of 0..255
    for channel, mean, std in zip(pixels, means, deviations, strict=True):
        content = torch.full((64, 32), (255 - mean) / std)
        torch.testing.assert_close(channel[:, :32], content, atol=1e-4, rtol=0)
        assert torch.all(channel[:, 32:] == 0)


def test_medsams_pixels_fill_the_square_and_the_range(tiny_backbone: Backbone) -> None:
    medsam = dataclasses.replace(tiny_backbone, preparation=MEDSAM_PIXELS)
    frame = medsam.frame(64, 32, (1.0, 1.0))
    pixels = medsam.prepare((0.2 + 0.3 * slices(1)[0, :, :32]).astype(np.float32), frame)
    assert frame.scale_xy == (2.0, 1.0)
    assert (float(pixels.min()), float(pixels.max())) == (0.0, 1.0)
    assert torch.all(medsam.prepare(np.full((64, 32), 0.4, np.float32), frame) == 0), (
        "a constant slice is black"
    )


def test_litemedsams_pixels_are_the_windowed_values(tiny_backbone: Backbone) -> None:
    image = 0.2 + 0.3 * slices(1)[0]
    pixels = tiny_backbone.prepare(image, tiny_backbone.frame(64, 48, (1.0, 1.0)))
    np.testing.assert_allclose(pixels[1, :, :48].numpy(), image, rtol=1e-6)


@pytest.mark.parametrize("name", ["digest", "preparation"])
def test_a_backbone_is_immutable(tiny_backbone: Backbone, name: str) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(tiny_backbone, name, None)
