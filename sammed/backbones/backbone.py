"""The backbone: a frozen SAM, and the three things that it does: prepare, encode, decode."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor, nn

from sammed.backbones.frame import EMBEDDING_STRIDE, Frame
from sammed.backbones.registry import PixelPreparation
from sammed.backbones.sparse_masks import Cell, thinned, with_sparse_masks

SMALLEST_RANGE = 1e-8  # of a slice's values, below which it counts as constant (MedSAM's own number)


# Whatever turns pixels B 3 S S into embeddings B 256 h w: a torch module or a compiled model.
ImageEncoder = Callable[[Tensor], Tensor]

# Whatever turns embeddings B 256 h w with the dense prompts added, and sparse prompts B N 256, into mask
# logits B 1 4h 4w and guesses of their IoU B 1.
MaskDecoder = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


class TorchDecoder(nn.Module):
    """Meta's mask decoder, every prompt of which may look at another image.

    Meta's repeats one image's embedding for all prompts and adds the dense prompt to it; the two are used
    nowhere else. So the sum goes in as the dense prompt, and a zero as the image.
    """

    def __init__(self, mask_decoder: nn.Module, position_encoding: Float[Tensor, "1 256 h w"]) -> None:
        super().__init__()
        self.mask_decoder = mask_decoder
        self.register_buffer("position_encoding", position_encoding)
        self.embedding_size = int(position_encoding.shape[-1])

    def forward(
        self, image_and_dense: Float[Tensor, "B 256 h w"], sparse: Float[Tensor, "B N 256"]
    ) -> tuple[Float[Tensor, "B 1 M M"], Float[Tensor, "B 1"]]:
        """Mask logits and the decoder's own guess of their IoU."""
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
    """A frozen SAM: image encoder, mask decoder, pretrained prompt encoder, and how its pixels are made.

    Constructing one freezes its modules: evaluation mode, no gradients for any weight. `digest` names the
    weights and all else that makes an embedding what it is. `dtype` is the precision of the image
    encoder; the decoder, which learning goes through, always computes in float32. `runtime` is what is to
    run the image encoder: torch or openvino, in whose place torch steps where it fails on the model.
    `fast_decoder` is the runtime's own decoder, for masks that nothing is learned from, if it has one.
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
        """Cells of an embedding along a side (h = w); the decoder's masks have four times as many."""
        return int(self.position_encoding.shape[-1])

    def frame(self, height: int, width: int, pixel_spacing_mm: tuple[float, float]) -> Frame:
        """The frame of slices of that shape; `pixel_spacing_mm` is (row, column)."""
        mask_size = EMBEDDING_STRIDE * self.embedding_size
        return Frame(height, width, pixel_spacing_mm, self.image_size, mask_size, self.preparation.stretch)

    def prepare(self, image: NDArray[np.float32], frame: Frame) -> Float[Tensor, "3 S S"]:
        """Pixels for `encode`, on the CPU, from a slice H W or H W 3 of values 0..1."""
        content = frame.resize_image(image)
        if self.preparation.min_max:
            low, high = torch.aminmax(content)
            content = (content - low) / (high - low).clamp(min=SMALLEST_RANGE)
        mean = torch.tensor(self.preparation.mean)[:, None, None]
        std = torch.tensor(self.preparation.std)[:, None, None]
        return frame.pad_image((content - mean) / std)

    def encode(self, pixels: Float[Tensor, "B 3 S S"]) -> Float[Tensor, "B 256 h w"]:
        """Embeddings, float32, on the backbone's device, without gradients."""
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
        """Mask logits and the decoder's own guess of their IoU, one for each pair of embedding and prompt.

        Differs from Meta's use in that every prompt may look at another image (`TorchDecoder`). `embeddings`
        and `dense` may have a first axis of 1. Gradients reach `sparse` and `dense`; where none are kept, the
        runtime's own decoder is taken, if it has one.
        """
        image_and_dense = embeddings.to(self.device, torch.float32) + dense
        if self.fast_decoder is not None and not torch.is_grad_enabled():
            return self.fast_decoder(image_and_dense.expand(len(sparse), -1, -1, -1), sparse)
        return self.decoder(image_and_dense, sparse)  # type: ignore[no-any-return]

    def sparse_decoder(self, cell: Cell) -> MaskDecoder:
        """A decoder of `thinned` embeddings into `cells_of` masks, for much less work; for learning."""
        position_encoding = thinned(self.position_encoding, cell)
        return freeze(TorchDecoder(with_sparse_masks(self.mask_decoder, cell), position_encoding))

    def new_prompt_encoder(self) -> nn.Module:
        """A prompt encoder to be trained: a copy of the pretrained one, whose weights take gradients."""
        return copy.deepcopy(self.prompt_encoder).requires_grad_(True)


def freeze(module: nn.Module) -> nn.Module:
    """Evaluation mode and no gradients for any weight; gradients still flow through to the inputs."""
    return module.eval().requires_grad_(False)
