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
    """A trained network, how it was trained, and its labels without the background, ascending by value.

    `window` is that of the set it was trained on (None: each image's default); who makes pictures for it
    shows them so.
    """

    network: nn.Module
    config: StudentConfig
    labels: tuple[Label, ...]
    window: Window | None = None

    @torch.inference_mode()
    def probabilities(self, image: Float[np.ndarray, "H W C"]) -> Float[np.ndarray, "K H W"]:
        """Probabilities 0..1 of background and labels on the picture's own grid, float32.

        After "dice+ce" they are a softmax; after "dice+bce" each label has its own sigmoid, and the
        background is what the likeliest label leaves. A gray image is repeated for a student of three
        channels, and a colored one is made gray for a student of one. Raises StudentError for a 3-D student.
        """
        if self.config.is_3d:
            raise StudentError("This student takes volumes; ask it for `volume_probabilities`.")
        pixels = torch.from_numpy(to_square(image, self.config.size_px, self.config.channels))
        found = class_probabilities(self.scores(pixels[None]), self.config)[0]  # K s s
        return from_square(found.cpu().numpy(), image.shape[:2])

    @torch.inference_mode()
    def volume_probabilities(
        self, images: Iterable[Float[np.ndarray, "H W C"]]
    ) -> Float[np.ndarray, "K S H W"]:
        """As `probabilities`, of all slices of a volume in the order of the stack; also for 2-D students."""
        if not self.config.is_3d:
            return np.stack([self.probabilities(image) for image in images], axis=1)
        shown = list(images)
        squares = [to_square(image, self.config.size_px, self.config.channels) for image in shown]
        scores = self.scores(torch.from_numpy(np.stack(squares, axis=1))[None])
        found = class_probabilities(scores, self.config)[0].cpu().numpy()  # K S s s
        return np.stack([from_square(maps, shown[0].shape) for maps in found.swapaxes(0, 1)], axis=1)

    def scores(self, batch: Float[Tensor, "B C ..."]) -> Float[Tensor, "B O ..."]:
        """The network's raw outputs for a batch of squares, or of stacks of squares of any depth."""
        self.network.eval()
        shown = batch.to(next(self.network.parameters()).device)
        return last_output(self._slide(shown) if self.config.is_3d else self.network(shown))

    def _slide(self, stacks: Tensor) -> Tensor:
        """A 3-D network looks at patches of its own depth, which overlap."""
        from monai.inferers.utils import sliding_window_inference

        patch = (self.config.depth_px, self.config.size_px, self.config.size_px)
        found = sliding_window_inference(stacks, patch, 1, self.network, overlap=0.5, mode="gaussian")
        assert isinstance(found, Tensor)  # as the network gives one map
        return found

    def label_map(self, image: Float[np.ndarray, "H W C"]) -> UInt[np.ndarray, "H W"]:
        """The likeliest label's value in each pixel; 0 where the background is at least as likely."""
        return self.values_of(self.probabilities(image))

    def values_of(self, probabilities: Float[np.ndarray, "K ..."]) -> UInt[np.ndarray, "..."]:
        """The value of the likeliest class in each place."""
        values = np.array([0, *(label.value for label in self.labels)])
        found: np.ndarray = values[probabilities.argmax(axis=0)]
        return found.astype(smallest_unsigned(int(values.max())))


def class_probabilities(scores: Float[Tensor, "B O ..."], config: StudentConfig) -> Float[Tensor, "B K ..."]:
    """Raw outputs as probabilities of background and labels."""
    if config.loss == "dice+ce":
        return scores.softmax(1)
    labels = scores.sigmoid()
    return torch.cat([1 - labels.amax(1, keepdim=True), labels], dim=1)


def new_student(config: StudentConfig, labels: tuple[Label, ...], window: Window | None = None) -> Student:
    """A student that has learned nothing; `config.seed` decides its weights."""
    outputs = len(labels) + (config.loss == "dice+ce")
    return Student(build_network(config, outputs), config, labels, window)


def last_output(output: Tensor | list[Tensor]) -> Tensor:
    """A network's final map: UNet++ returns a list, the final one last."""
    return output[-1] if isinstance(output, list) else output
