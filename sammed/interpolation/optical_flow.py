"""Optical flow: where each pixel of a slice lies in the next slice and, step by step, in an annotated one.

Dense inverse search (Kroeger et al. 2016; OpenCV's DIS) matches neighbors, which look alike. Displacements
over several slices are composed of these steps, because slices far apart offer little to match. A
displacement is (x, y) in pixels: what lies at p in this slice lies at p + d(p) in the other one.
"""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Float16, Float32, UInt8

SHORT_SIDE_PX = 160
"""Smaller slices are enlarged to this before they are matched: the matcher's patches have 8 pixels."""
LONG_SIDE_PX = 512
"""Larger slices are reduced to this: displacements need no finer grid, and the time stays bounded."""


class NeighborFlow:
    """The flow between neighboring slices of a stack; each is computed once, when it is first needed."""

    def __init__(self, images: Float32[np.ndarray, "S H W"]) -> None:
        """`images` are slices through a window, 0..1."""
        self.count = len(images)
        self.height, self.width = images.shape[1:]
        self._size = _matched_size(self.height, self.width)
        self._images = [self._matched(image) for image in images]
        self._matcher = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._matcher.setFinestScale(0)
        self._steps: dict[tuple[int, int], Float16[np.ndarray, "H W 2"]] = {}

    def step(self, index: int, neighbor: int) -> Float32[np.ndarray, "H W 2"]:
        """The displacement from a slice to its neighbor."""
        if (index, neighbor) not in self._steps:
            self._steps[index, neighbor] = self._match(index, neighbor).astype(np.float16)
        return self._steps[index, neighbor].astype(np.float32)

    def _match(self, index: int, neighbor: int) -> Float32[np.ndarray, "H W 2"]:
        flow: np.ndarray = self._matcher.calc(self._images[index], self._images[neighbor], None)
        width, height = self._size
        if (width, height) == (self.width, self.height):
            return flow
        resized = cv2.resize(flow, (self.width, self.height), interpolation=cv2.INTER_AREA)
        scaled: np.ndarray = resized * np.array([self.width / width, self.height / height], dtype=np.float32)
        return scaled

    def _matched(self, image: Float32[np.ndarray, "H W"]) -> UInt8[np.ndarray, "h w"]:
        gray = np.round(image * 255).astype(np.uint8)
        if self._size == (self.width, self.height):
            return gray
        method = cv2.INTER_CUBIC if self._size[0] > self.width else cv2.INTER_AREA
        resized: np.ndarray = cv2.resize(gray, self._size, interpolation=method)
        return resized


def compose(
    step: Float32[np.ndarray, "H W 2"], onward: Float32[np.ndarray, "H W 2"]
) -> Float32[np.ndarray, "H W 2"]:
    """The displacement that goes one step and from there `onward`."""
    total: np.ndarray = step + warp(onward, step)
    return total


def warp(
    values: Float32[np.ndarray, "H W *C"], displacement: Float32[np.ndarray, "H W 2"]
) -> Float32[np.ndarray, "H W *C"]:
    """The values of another slice at the places where this slice's pixels lie in it.

    Beyond the other slice's edge its outermost values continue.
    """
    rows, columns = np.indices(displacement.shape[:2], dtype=np.float32)
    x, y = columns + displacement[..., 0], rows + displacement[..., 1]
    seen: np.ndarray = cv2.remap(values, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return seen


def _matched_size(height: int, width: int) -> tuple[int, int]:
    """Width and height of the images that are matched."""
    scale = min(max(1.0, SHORT_SIDE_PX / min(height, width)), LONG_SIDE_PX / max(height, width))
    return max(16, round(width * scale)), max(16, round(height * scale))
