"""Augmentation by MONAI's transforms, determined by a seed alone."""

import math
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sammed.datasets.students.samples import IGNORED

_MOST_TURN_RAD = math.radians(15)
_MOST_SCALE = 0.15


class Augmentation:
    """Rotates and scales image and classes in the picture's plane; changes the image's gray values.

    Does not mirror, since left and right are different labels in many sets. Pixels from outside the picture
    have the value 0 and are ignored.
    """

    def __init__(self, is_3d: bool) -> None:
        self._transform = _transform(is_3d)

    def __call__(self, image: Tensor, classes: Tensor, seed: int) -> tuple[Tensor, Tensor]:
        """Return image C *axes and classes *axes, changed as the seed determines, in the same shapes."""
        self._transform.set_random_state(seed=seed)
        # 0 marks pixels from outside, so all classes are one higher in between.
        raised = (classes.float() + 1)[None]
        changed: Mapping[Hashable, Tensor] = self._transform({"image": image, "classes": raised})
        moved = torch.as_tensor(np.asarray(changed["classes"]))[0].round().long() - 1
        found = torch.where(moved < 0, IGNORED, moved).to(torch.uint8)
        return torch.as_tensor(np.asarray(changed["image"])).clamp(0, 1), found


def _transform(is_3d: bool) -> Any:  # MONAI has no types
    from monai.transforms.compose import Compose
    from monai.transforms.intensity.dictionary import RandAdjustContrastd, RandGaussianNoised
    from monai.transforms.spatial.dictionary import RandAffined

    # The slice axis comes first; rotation is around it only.
    rotate = (_MOST_TURN_RAD, 0.0, 0.0) if is_3d else _MOST_TURN_RAD
    scale = ((0.0, 0.0), *[(-_MOST_SCALE, _MOST_SCALE)] * 2) if is_3d else _MOST_SCALE
    return Compose(
        [
            RandAffined(
                ["image", "classes"],
                prob=0.9,
                rotate_range=rotate,
                scale_range=scale,
                mode=("bilinear", "nearest"),
                padding_mode="zeros",
            ),
            RandAdjustContrastd("image", prob=0.5, gamma=(0.7, 1.5)),
            RandGaussianNoised("image", prob=0.3, std=0.03),
        ]
    )
