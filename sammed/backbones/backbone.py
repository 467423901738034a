"""The backbone: a frozen SAM that prepares pixels, encodes slices and decodes prompts."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor, nn

from sammed.backbones.frame import EMBEDDING_STRIDE, Frame
from sammed.backbones.registry import PixelPreparation
from sammed.backbones.sparse_masks import Cell, thinned, with_sparse_masks

SMALLEST_RANGE = 1e-8  # a slice whose values span less is constant (MedSAM's own number)

ImageEncoder = Callable[[Tensor], Tensor]
"""Pixels B 3 S S to embeddings B 256 h w: a torch module or a compiled model."""

MaskDecoder = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""Embeddings B 256 h w plus dense prompts, and sparse prompts B N 256, to logits B 1 4h 4w and IoUs B 1."""


Network = TypeVar("Network", bound=nn.Module)


class TorchDecoder(nn.Module):
    """Meta's mask decoder, in which each prompt may belong to a different image.

    Meta's decoder repeats one image's embedding for all prompts, adds the dense prompts, and uses neither of
    the two anywhere else. So this one passes the sum as the dense prompt and a zero as the image.
    """

    def __init__(self, mask_decoder: nn.Module, position_encoding: Float[Tensor, "1 256 h w"]) -> None:
        super().__init__()
        self.mask_decoder = mask_decoder
        self.register_buffer("position_encoding", position_encoding)
        self.embedding_size = int(position_encoding.shape[-1])

    def forward(
        self, image_and_dense: Float[Tensor, "B 256 h w"], sparse: Float[Tensor, "B N 256"]
    ) -> tuple[Float[Tensor, "B 1 M M"], Float[Tensor, "B 1"]]:
        """Return mask logits and the IoU that the decoder predicts for each."""
        masks, iou = self.mask_decoder(
            image_embeddings=image_and_dense.new_zeros(1, 1, 1, 1),
            image_pe=self.position_encoding,
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=image_and_dense,
            multimask_output=False,
        )
        return masks, iou


@dataclass(frozen=True, slots=True, eq=False)
class Backbone:
    """A frozen SAM: image encoder, mask decoder, pretrained prompt encoder, and the preparation of pixels.

    The constructor freezes the modules: evaluation mode, no gradients for any weight. `digest` identifies
    the weights and everything else that determines an embedding. `dtype` is the precision of the image
    encoder; the decoder, through which training propagates gradients, always computes in float32. `runtime`
    names what runs the image encoder, torch or openvino; if openvino fails on the model, torch runs it.
    `fast_decoder` is the runtime's own decoder for inference, if it has one.
    """

    name: str
    digest: str
    image_size: int
    device: torch.device
    dtype: torch.dtype
    image_encoder: ImageEncoder
    mask_decoder: nn.Module
    prompt_encoder: nn.Module
    preparation: PixelPreparation
    runtime: str = "torch"
    fast_decoder: MaskDecoder | None = field(default=None, repr=False)
    position_encoding: Float[Tensor, "1 256 h w"] = field(init=False, repr=False)
    decoder: TorchDecoder = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for part in (self.image_encoder, self.mask_decoder, self.prompt_encoder):
            if isinstance(part, nn.Module):
                freeze(part)
        with torch.no_grad():
            object.__setattr__(self, "position_encoding", self.prompt_encoder.get_dense_pe())  # type: ignore[operator]
        object.__setattr__(self, "decoder", freeze(TorchDecoder(self.mask_decoder, self.position_encoding)))

    @property
    def embedding_size(self) -> int:
        """Cells along a side of an embedding (h = w); the decoder's masks have four times as many."""
        return int(self.position_encoding.shape[-1])

    def frame(self, height: int, width: int, pixel_spacing_mm: tuple[float, float]) -> Frame:
        """Return the frame for slices of that shape; `pixel_spacing_mm` is (row, column)."""
        mask_size = EMBEDDING_STRIDE * self.embedding_size
        return Frame(height, width, pixel_spacing_mm, self.image_size, mask_size, self.preparation.stretch)

    def prepare(self, image: NDArray[np.float32], frame: Frame) -> Float[Tensor, "3 S S"]:
        """Return the pixels for `encode`, on the CPU, of a slice H W or H W 3 with values 0..1."""
        content = frame.resize_image(image)
        if self.preparation.min_max:
            low, high = torch.aminmax(content)
            content = (content - low) / (high - low).clamp(min=SMALLEST_RANGE)
        mean = torch.tensor(self.preparation.mean)[:, None, None]
        std = torch.tensor(self.preparation.std)[:, None, None]
        return frame.pad_image((content - mean) / std)

    def encode(self, pixels: Float[Tensor, "B 3 S S"]) -> Float[Tensor, "B 256 h w"]:
        """Return embeddings in float32 on the backbone's device, without gradients."""
        on_cuda = self.device.type == "cuda"
        half = on_cuda and self.dtype == torch.bfloat16
        order = torch.channels_last if on_cuda else torch.preserve_format
        with torch.no_grad(), torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=half):
            pixels = pixels.to(self.device, non_blocking=on_cuda, memory_format=order)
            return self.image_encoder(pixels).float()

    def decode(
        self,
        embeddings: Float[Tensor, "#B 256 h w"],
        sparse: Float[Tensor, "B N 256"],
        dense: Float[Tensor, "#B 256 h w"],
    ) -> tuple[Float[Tensor, "B 1 M M"], Float[Tensor, "B 1"]]:
        """Return mask logits and predicted IoUs, one for each pair of embedding and prompt.

        Each prompt may belong to a different image (`TorchDecoder`). `embeddings` and `dense` may have a
        first axis of 1. Gradients reach `sparse` and `dense`; with gradients disabled, the runtime's own
        decoder computes the masks, if it has one.
        """
        image_and_dense = embeddings.to(self.device, torch.float32) + dense
        if self.fast_decoder is not None and not torch.is_grad_enabled():
            return self.fast_decoder(image_and_dense.expand(len(sparse), -1, -1, -1), sparse)
        masks, iou = self.decoder(image_and_dense, sparse)
        return masks, iou

    def sparse_decoder(self, cell: Cell) -> TorchDecoder:
        """Return a decoder of `thinned` embeddings into `cells_of` masks; it makes training much faster."""
        position_encoding = thinned(self.position_encoding, cell)
        return freeze(TorchDecoder(with_sparse_masks(self.mask_decoder, cell), position_encoding))

    def new_prompt_encoder(self) -> nn.Module:
        """Return a trainable copy of the pretrained prompt encoder."""
        return copy.deepcopy(self.prompt_encoder).requires_grad_(True)


def freeze(module: Network) -> Network:
    """Set evaluation mode and disable gradients of all weights; gradients of the inputs still flow."""
    return module.eval().requires_grad_(False)
