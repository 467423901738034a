"""Sparse masks: one in 64 cells of the decoder's masks, for a quarter of the work or less, in training.

They skip every second row and column of the embedding, and of the sixteen mask cells above each remaining
cell, all but one.
"""

import copy

from jaxtyping import Float
from torch import Tensor, nn

THINNING = 2
"""Of so many rows, and so many columns, of the embedding, one is kept."""

CELLS_ACROSS = 4
"""Mask cells along a side of one embedding cell."""

STRIDE = THINNING * CELLS_ACROSS

Cell = tuple[int, int]
"""Row and column, each 0..7, of the one mask cell to compute in every block of STRIDE x STRIDE."""


def cells_of(masks: Float[Tensor, "*B M M"], cell: Cell) -> Float[Tensor, "*B M/8 M/8"]:
    """Select from whole masks the cells that a decoder `with_sparse_masks` computes."""
    return masks[..., cell[0] :: STRIDE, cell[1] :: STRIDE]


def thinned(embeddings: Float[Tensor, "*B h w"], cell: Cell) -> Float[Tensor, "*B h/2 w/2"]:
    """Select the embedding cells that contain the given mask cell.

    Prompts then attend to a quarter of the image. Attention averages over it, and a quarter spread evenly
    hardly changes the averages.
    """
    row, column = cell[0] // CELLS_ACROSS, cell[1] // CELLS_ACROSS
    return embeddings[..., row::THINNING, column::THINNING]


def with_sparse_masks(mask_decoder: nn.Module, cell: Cell) -> nn.Module:
    """Return a mask decoder whose masks have one cell per embedding cell; it shares the given one's weights.

    SAM upscales by two transposed convolutions whose kernels are as wide as their stride, so each mask cell
    depends on one embedding cell, and skipping some does not change the others. Upscaling takes much of the
    time of a training step.
    """
    others = (part for part in mask_decoder.children() if part is not mask_decoder.output_upscaling)
    shared = {id(part): part for part in (*others, *mask_decoder.parameters())}
    sparse = copy.deepcopy(mask_decoder, shared)
    upscaling = sparse.get_submodule("output_upscaling")
    assert isinstance(upscaling, nn.Sequential)
    first, last = (index for index, layer in enumerate(upscaling) if isinstance(layer, nn.ConvTranspose2d))
    row, column = cell[0] % CELLS_ACROSS, cell[1] % CELLS_ACROSS
    upscaling[first] = _one_cell(upscaling[first], (row // 2, column // 2))
    upscaling[last] = _one_cell(upscaling[last], (row % 2, column % 2))
    return sparse.eval()


def _one_cell(upscaling: nn.Module, cell: Cell) -> nn.Conv2d:
    """Return the convolution that computes one of the four output cells of a 2 x 2 transposed convolution."""
    if not isinstance(upscaling, nn.ConvTranspose2d) or upscaling.kernel_size != (2, 2):
        raise TypeError(f"A mask decoder upscales with 2 x 2 transposed convolutions, not with {upscaling}.")
    row, column = cell
    weight = upscaling.weight[:, :, row : row + 1, column : column + 1].transpose(0, 1)  # out in 1 1
    one = nn.Conv2d(upscaling.in_channels, upscaling.out_channels, kernel_size=1, device="meta")
    one.weight = nn.Parameter(weight, requires_grad=False)
    one.bias = upscaling.bias
    return one
