"""One cell in sixteen of the decoder's masks, at a sixteenth of the last layers' cost."""

import copy
from itertools import product

from jaxtyping import Float
from torch import Tensor, nn

STRIDE = 4
"""Cells of a mask along a side of one cell of the embedding."""

Cell = tuple[int, int]
"""Row and column, each 0..3, of the cells that are computed, within every STRIDE x STRIDE of them."""

CELLS: tuple[Cell, ...] = tuple(product(range(STRIDE), range(STRIDE)))
"""Together they make the whole mask."""


def cells_of(masks: Float[Tensor, "*B M M"], cell: Cell) -> Float[Tensor, "*B M/4 M/4"]:
    """What `with_sparse_masks` leaves of masks."""
    return masks[..., cell[0] :: STRIDE, cell[1] :: STRIDE]


def with_sparse_masks(mask_decoder: nn.Module, cell: Cell) -> nn.Module:
    """A mask decoder whose masks are `cells_of` the given one's, exactly; weights are shared.

    SAM upscales twice by transposed convolutions whose kernels are as wide as their stride, so that each
    cell of the mask hangs on one cell of the embedding: leaving cells out leaves the others as they are.
    Upscaling takes much of a step of learning, and a lesson needs no more cells than these.
    """
    memo = {id(weight): weight for weight in mask_decoder.parameters()}
    sparse = copy.deepcopy(mask_decoder, memo)
    upscaling: nn.Sequential = sparse.output_upscaling  # type: ignore[assignment]
    first, last = (index for index, layer in enumerate(upscaling) if isinstance(layer, nn.ConvTranspose2d))
    row, column = cell
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
