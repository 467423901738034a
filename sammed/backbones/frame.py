"""The slice frame, the SAM frame, and the maps between them.

- *slice frame*: one slice, H W pixels of the volume, not necessarily square.
- *SAM frame*: the square of `size` x `size` pixels that a backbone takes.
- *mask grid*: the square of `mask_size` x `mask_size` cells over the same area; the decoder's masks have it.
- *embedding grid*: the mask grid with cells four times as wide and high.
- *content*: the part of the SAM frame that shows the slice, `content_height` x `content_width` pixels in
  its upper left corner.

A coordinate (x, y) refers to pixel centers: (0, 0) is the center of the first pixel, whose area extends
from -0.5 to 0.5. SAM's prompt encoder takes such coordinates (it adds the half pixel itself).
"""

import math
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from sammed.errors import ConfigError

Coordinates = TypeVar("Coordinates", Tensor, NDArray[np.float64], NDArray[np.float32])
EMBEDDING_STRIDE = 4  # cells of the mask grid per cell of the embedding grid, along each side


@dataclass(frozen=True, slots=True)
class Frame:
    """The map between a slice and a backbone's square, the same for all slices of a volume.

    `pixel_spacing_mm` is (row, column): the height and the width of a pixel. The slice keeps its aspect ratio
    in millimeters: its longest side fills the square, and zeros pad the right and the bottom. With `stretch`
    it fills the whole square instead. Raises ConfigError if the numbers don't define a frame.
    """

    height: int
    width: int
    pixel_spacing_mm: tuple[float, float]
    size: int
    mask_size: int
    stretch: bool = False
    content_height: int = field(init=False)
    content_width: int = field(init=False)

    def __post_init__(self) -> None:
        if self.height < 1 or self.width < 1:
            raise ConfigError(f"A slice of {self.height} x {self.width} pixels is empty.")
        if not all(math.isfinite(s) and s > 0 for s in self.pixel_spacing_mm):
            raise ConfigError(f"The pixel spacing {self.pixel_spacing_mm} mm is not positive and finite.")
        if self.mask_size < 1 or self.size % self.mask_size or self.mask_size % EMBEDDING_STRIDE:
            raise ConfigError(f"A mask grid of {self.mask_size} cells does not divide {self.size} pixels.")
        sides_mm = (self.height * self.pixel_spacing_mm[0], self.width * self.pixel_spacing_mm[1])
        object.__setattr__(self, "content_height", self._content(sides_mm[0] / max(sides_mm)))
        object.__setattr__(self, "content_width", self._content(sides_mm[1] / max(sides_mm)))

    def _content(self, share: float) -> int:
        """Return the SAM pixels along a side: whole cells of the mask grid, so that masks crop evenly."""
        cells = self.mask_size if self.stretch else max(1, round(self.mask_size * share))
        return cells * (self.size // self.mask_size)

    @property
    def scale_xy(self) -> tuple[float, float]:
        """SAM pixels per slice pixel, along x and along y."""
        return self.content_width / self.width, self.content_height / self.height

    @property
    def embedding_size(self) -> int:
        """Cells of the embedding grid along a side."""
        return self.mask_size // EMBEDDING_STRIDE

    def points_to_sam(self, points_xy_slice: Coordinates) -> Coordinates:
        """Map points ... 2 (x, y) from slice pixels to SAM pixels."""
        return (points_xy_slice + 0.5) * _as(self.scale_xy, points_xy_slice) - 0.5

    def boxes_to_sam(self, boxes_xyxy_slice: Coordinates) -> Coordinates:
        """Map boxes ... 4 from slice pixels to SAM pixels; the inverse of `boxes_to_slice`.

        A box's corners are the centers of its first and its last pixel: a box over the columns 3, 4 and 5
        has x from 3 to 5. The corners map like points.
        """
        return (boxes_xyxy_slice + 0.5) * _as(self.scale_xy * 2, boxes_xyxy_slice) - 0.5

    def boxes_to_slice(self, boxes_xyxy_sam: Coordinates) -> Coordinates:
        """Map boxes ... 4 from SAM pixels to slice pixels; the inverse of `boxes_to_sam`."""
        return (boxes_xyxy_sam + 0.5) / _as(self.scale_xy * 2, boxes_xyxy_sam) - 0.5

    def resize_image(self, image: NDArray[np.float32]) -> Float[Tensor, "3 content_height content_width"]:
        """Resize a slice H W or H W 3 to the SAM frame's content: bilinear, antialiased if it shrinks."""
        if image.shape not in ((self.height, self.width), (self.height, self.width, 3)):
            raise ConfigError(
                f"The frame is for slices of {self.height} x {self.width}; this one has shape {image.shape}."
            )
        pixels = torch.from_numpy(np.ascontiguousarray(image, dtype=np.float32))
        channels = pixels[None] if pixels.ndim == 2 else pixels.permute(2, 0, 1)  # C H W
        resized = _resize(channels, (self.content_height, self.content_width))
        return resized.expand(3, -1, -1)

    def pad_image(self, content: Float[Tensor, "C content_height content_width"]) -> Float[Tensor, "C S S"]:
        """Pad the content to the SAM frame, with zeros at the right and the bottom."""
        return F.pad(content, (0, self.size - self.content_width, 0, self.size - self.content_height))

    def image_to_sam(self, image: NDArray[np.float32]) -> Float[Tensor, "3 S S"]:
        """Map a slice H W or H W 3 to the SAM frame, with zeros at the right and the bottom."""
        return self.pad_image(self.resize_image(image))

    def masks_to_mask_grid(
        self, masks: Float[Tensor, "N H W"] | Bool[Tensor, "N H W"] | UInt8[Tensor, "N H W"]
    ) -> Float[Tensor, "N M M"]:
        """Return the share of each cell's area, 0..1, that the masks cover; padding is 0."""
        cell = self.size // self.mask_size
        rows = _area_shares(self.height, self.content_height // cell, self.mask_size).to(masks.device)
        columns = _area_shares(self.width, self.content_width // cell, self.mask_size).to(masks.device)
        return rows @ masks.to(torch.float32) @ columns.T

    def masks_to_embedding(
        self, masks: Float[Tensor, "N H W"] | Bool[Tensor, "N H W"] | UInt8[Tensor, "N H W"]
    ) -> Float[Tensor, "N h w"]:
        """Return the share of each cell of the embedding grid, 0..1, that the masks cover; padding is 0."""
        return F.avg_pool2d(self.masks_to_mask_grid(masks), EMBEDDING_STRIDE)

    def logits_to_slice(self, logits: Float[Tensor, "N M M"]) -> Float[Tensor, "N H W"]:
        """Map logits to the slice's pixels: crop the padding, then resize like `resize_image`."""
        cell = self.size // self.mask_size
        content = logits[..., : self.content_height // cell, : self.content_width // cell]
        return _resize(content, (self.height, self.width))


def _as(values: tuple[float, ...], like: Coordinates) -> Coordinates:
    """Convert `values` to an array of the kind, type and device of `like`."""
    if isinstance(like, Tensor):
        return torch.tensor(values, dtype=like.dtype, device=like.device)
    return np.asarray(values, dtype=like.dtype)


def _resize(images: Float[Tensor, "N H W"], shape: tuple[int, int]) -> Float[Tensor, "N h w"]:
    shrinks = shape[0] < images.shape[-2] or shape[1] < images.shape[-1]
    resized = F.interpolate(images[None], size=shape, mode="bilinear", align_corners=False, antialias=shrinks)
    return resized[0]


def _area_shares(pixels: int, cells: int, grid: int) -> Float[Tensor, "grid pixels"]:
    """Return the share of each of `grid` cells that each pixel covers; the pixels span the first `cells`."""
    edges = torch.arange(pixels + 1, dtype=torch.float64) * cells / pixels
    start = torch.arange(grid, dtype=torch.float64)[:, None]
    overlap = torch.minimum(edges[1:], start + 1) - torch.maximum(edges[:-1], start)
    return overlap.clamp(min=0).to(torch.float32)
