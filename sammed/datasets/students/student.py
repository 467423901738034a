"""The student: a trained network and what it takes to use it."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt
from torch import Tensor, nn

from sammed.datasets.students.config import StudentConfig
from sammed.datasets.students.networks import build_network
from sammed.datasets.students.scaling import from_square, to_square
from sammed.errors import StudentError
from sammed_volumes.intensity import Window
from sammed_volumes.labels import Label, smallest_unsigned


@dataclass(frozen=True, slots=True, eq=False)
class Student:
    """A trained network, its settings, and its labels without the background in ascending order of value.

    `window` is that of the training set (None: each image's default); pictures for the student need it too.
    """

    network: nn.Module
    config: StudentConfig
    labels: tuple[Label, ...]
    window: Window | None = None

    @torch.inference_mode()
    def probabilities(self, image: Float[np.ndarray, "H W C"]) -> Float[np.ndarray, "K H W"]:
        """Return probabilities 0..1 of background and labels on the picture's own grid, float32.

        After "dice+ce" they are a softmax; after "dice+bce" each label has its own sigmoid, and the
        background is 1 minus the likeliest label. A gray image is repeated for a student with three channels,
        and a color image becomes gray for a student with one. Raises StudentError for a 3-D student.
        """
        if self.config.is_3d:
            raise StudentError("This student takes volumes; use `volume_probabilities`.")
        pixels = torch.from_numpy(to_square(image, self.config.size_px, self.config.channels))
        found = class_probabilities(self.scores(pixels[None]), self.config)[0]  # K s s
        return from_square(found.cpu().numpy(), image.shape[:2])

    @torch.inference_mode()
    def volume_probabilities(
        self, images: Iterable[Float[np.ndarray, "H W C"]]
    ) -> Float[np.ndarray, "K S H W"]:
        """Return `probabilities` of all slices of a volume in the order of the stack; for all students."""
        if not self.config.is_3d:
            return np.stack([self.probabilities(image) for image in images], axis=1)
        shown = list(images)
        squares = [to_square(image, self.config.size_px, self.config.channels) for image in shown]
        scores = self.scores(torch.from_numpy(np.stack(squares, axis=1))[None])
        found = class_probabilities(scores, self.config)[0].cpu().numpy()  # K S s s
        return np.stack([from_square(maps, shown[0].shape) for maps in found.swapaxes(0, 1)], axis=1)

    def scores(self, batch: Float[Tensor, "B C ..."]) -> Float[Tensor, "B O ..."]:
        """Return the network's raw outputs for a batch of squares, or of stacks of squares of any depth."""
        self.network.eval()
        shown = batch.to(next(self.network.parameters()).device)
        return last_output(self._slide(shown) if self.config.is_3d else self.network(shown))

    def _slide(self, stacks: Tensor) -> Tensor:
        """Apply a 3-D network to overlapping patches of its own depth."""
        from monai.inferers.utils import sliding_window_inference

        patch = (self.config.depth_px, self.config.size_px, self.config.size_px)
        found = sliding_window_inference(stacks, patch, 1, self.network, overlap=0.5, mode="gaussian")
        assert isinstance(found, Tensor)  # as the network gives one map
        return found

    def label_map(self, image: Float[np.ndarray, "H W C"]) -> UInt[np.ndarray, "H W"]:
        """Return the likeliest label's value in each pixel; 0 where the background is at least as likely."""
        return self.values_of(self.probabilities(image))

    def values_of(self, probabilities: Float[np.ndarray, "K ..."]) -> UInt[np.ndarray, "..."]:
        """Return the value of the likeliest class at each place."""
        values = np.array([0, *(label.value for label in self.labels)])
        found: np.ndarray = values[probabilities.argmax(axis=0)]
        return found.astype(smallest_unsigned(int(values.max())))


def class_probabilities(scores: Float[Tensor, "B O ..."], config: StudentConfig) -> Float[Tensor, "B K ..."]:
    """Return raw outputs as probabilities of background and labels."""
    if config.loss == "dice+ce":
        return scores.softmax(1)
    labels = scores.sigmoid()
    return torch.cat([1 - labels.amax(1, keepdim=True), labels], dim=1)


def new_student(config: StudentConfig, labels: tuple[Label, ...], window: Window | None = None) -> Student:
    """Return an untrained student; `config.seed` determines its weights."""
    outputs = len(labels) + (config.loss == "dice+ce")
    return Student(build_network(config, outputs), config, labels, window)


def last_output(output: Tensor | list[Tensor]) -> Tensor:
    """Return a network's final map; UNet++ returns a list with the final one last."""
    return output[-1] if isinstance(output, list) else output
