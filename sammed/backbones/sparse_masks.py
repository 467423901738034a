"""One cell in 64 of the decoder's masks, at a quarter of its work or less: for learning.

Every second row and column of the embedding is left out, and of the sixteen cells of the mask that hang on
each cell that is left, all but one.
"""

import copy
from itertools import product

from jaxtyping import Float
from torch import Tensor, nn

THINNING = 2
"""Rows, and columns, of the embedding of which one is kept."""

CELLS_ACROSS = 4
"""Cells of a mask along a side of one cell of the embedding."""

STRIDE = THINNING * CELLS_ACROSS

Cell = tuple[int, int]
"""Row and column, each 0..7, of the cells that are computed, within every STRIDE x STRIDE of them."""

CELLS: tuple[Cell, ...] = tuple(product(range(STRIDE), range(STRIDE)))
"""Together they make the whole mask."""


def cells_of(masks: Float[Tensor, "*B M M"], cell: Cell) -> Float[Tensor, "*B M/8 M/8"]:
    """What a decoder with `with_sparse_masks` makes of `thinned` embeddings, taken from whole masks."""
    return masks[..., cell[0] :: STRIDE, cell[1] :: STRIDE]


def thinned(embeddings: Float[Tensor, "*B h w"], cell: Cell) -> Float[Tensor, "*B h/2 w/2"]:
    """The cells of an embedding that the given cell of the masks lies in.

    Prompts look at a quarter of the image then. Attention takes means over it, which a quarter spread evenly
    hardly changes.
    """
    row, column = cell[0] // CELLS_ACROSS, cell[1] // CELLS_ACROSS
    return embeddings[..., row::THINNING, column::THINNING]


def with_sparse_masks(mask_decoder: nn.Module, cell: Cell) -> nn.Module:
    """A mask decoder whose masks have one cell for each of the embedding's; weights are shared.

    SAM upscales twice by transposed convolutions whose kernels are as wide as their stride, so that each
    cell of the mask hangs on one cell of the embedding: leaving cells out leaves the others exactly as they
    are. Upscaling takes much of a step of learning, and a lesson needs no more cells than these.
    """
    others = (part for part in mask_decoder.children() if part is not mask_decoder.output_upscaling)
    shared = {id(part): part for part in (*others, *mask_decoder.parameters())}
    sparse = copy.deepcopy(mask_decoder, shared)
    upscaling: nn.Sequential = sparse.output_upscaling  # type: ignore[assignment]
    first, last = (index for index, layer in enumerate(upscaling) if isinstance(layer, nn.ConvTranspose2d))
    row, column = cell[0] % CELLS_ACROSS, cell[1] % CELLS_ACROSS
    upscaling[first] = _one_cell(upscaling[first], (row // 2, column // 2))
    upscaling[last] = _one_cell(upscaling[last], (row % 2, column % 2))
    return sparse.eval()


def _one_cell(upscaling: nn.Module, cell: Cell) -> nn.Conv2d:
    """The convolution that gives one of the four cells that a transposed one of 2 x 2 makes of each."""
    if not isinstance(upscaling, nn.ConvTranspose2d) or upscaling.kernel_size != (2, 2):
        raise TypeError(f"A mask decoder upscales by transposed convolutions of 2 x 2, not by {upscaling}.")
    row, column = cell
    weight = upscaling.weight[:, :, row : row + 1, column : column + 1].transpose(0, 1)  # out in 1 1
    one = nn.Conv2d(upscaling.in_channels, upscaling.out_channels, kernel_size=1, device="meta")
    one.weight = nn.Parameter(weight, requires_grad=False)
    one.bias = upscaling.bias
    return one
