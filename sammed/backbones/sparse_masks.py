"""Every second row and column of the decoder's masks, at a quarter of the last layers' cost."""

import copy

import torch
from jaxtyping import Float
from torch import Tensor, nn

SPARSE_STRIDE = 2


def every_second(masks: Float[Tensor, "*B M M"]) -> Float[Tensor, "*B M/2 M/2"]:
    """The rows and columns of masks that `with_sparse_masks` leaves."""
    return masks[..., ::SPARSE_STRIDE, ::SPARSE_STRIDE]


def with_sparse_masks(mask_decoder: nn.Module) -> nn.Module:
    """A mask decoder whose masks are `masks[..., ::2, ::2]` of the given one's, exactly; weights are shared.

    SAM's last upscaling is a transposed convolution whose kernel is as wide as its stride, so that each
    cell of the mask hangs on one cell before it: leaving cells out leaves the others as they are. Learning
    needs no more cells than these, and upscaling is the half of what a step costs.
    """
    last = mask_decoder.output_upscaling[-2]  # type: ignore[index]
    if not isinstance(last, nn.ConvTranspose2d) or last.kernel_size != (SPARSE_STRIDE, SPARSE_STRIDE):
        raise TypeError(f"A mask decoder ends in a transposed convolution of 2 x 2, not in {last}.")
    memo = {id(weight): weight for weight in mask_decoder.parameters()}
    sparse = copy.deepcopy(mask_decoder, memo)
    first_cell = nn.Conv2d(last.in_channels, last.out_channels, kernel_size=1, device="meta")
    first_cell.weight = nn.Parameter(last.weight[:, :, :1, :1].transpose(0, 1), requires_grad=False)
    first_cell.bias = nn.Parameter(torch.as_tensor(last.bias), requires_grad=False)
    sparse.output_upscaling[-2] = first_cell  # type: ignore[assignment,operator]
    return sparse.eval()
