"""The student: a trained network and what it takes to use it."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt
from torch import Tensor, nn

from sammed.errors import StudentError
from sammed.students.config import StudentConfig
from sammed.students.networks import build_network
from sammed.students.scaling import from_square, to_square
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
        background is what the likeliest label leaves. A grey image is repeated for a student of three
        channels, and a coloured one is made grey for a student of one. Raises StudentError for a 3-D student.
        """
        if self.config.is_3d:
            raise StudentError("This student takes volumes; ask it for `volume_probabilities`.")
        pixels = torch.from_numpy(to_square(image, self.config.size_px, self.config.channels))
        found = class_probabilities(self.scores(pixels[None]), self.config)[0]  # K s s
        return from_square(found.cpu().numpy(), image.shape[:2])

    def scores(self, batch: Float[Tensor, "B C *axes"]) -> Float[Tensor, "B O *axes"]:
        """The network's raw outputs for a batch in its own size."""
        self.network.eval()
        device = next(self.network.parameters()).device
        output = self.network(batch.to(device))
        return _last(output)

    def label_map(self, image: Float[np.ndarray, "H W C"]) -> UInt[np.ndarray, "H W"]:
        """The likeliest label's value in each pixel; 0 where the background is at least as likely."""
        return self.values_of(self.probabilities(image))

    def values_of(self, probabilities: Float[np.ndarray, "K ..."]) -> UInt[np.ndarray, "..."]:
        """The value of the likeliest class in each place."""
        values = np.array([0, *(label.value for label in self.labels)])
        return values[probabilities.argmax(axis=0)].astype(smallest_unsigned(int(values.max())))


def class_probabilities(
    scores: Float[Tensor, "B O *axes"], config: StudentConfig
) -> Float[Tensor, "B K *axes"]:
    """Raw outputs as probabilities of background and labels."""
    if config.loss == "dice+ce":
        return scores.softmax(1)
    labels = scores.sigmoid()
    return torch.cat([1 - labels.amax(1, keepdim=True), labels], dim=1)


def new_student(config: StudentConfig, labels: tuple[Label, ...], window: Window | None = None) -> Student:
    """A student that has learned nothing; `config.seed` decides its weights."""
    outputs = len(labels) + (config.loss == "dice+ce")
    return Student(build_network(config, outputs), config, labels, window)


def _last(output: Tensor | list[Tensor]) -> Tensor:
    """UNet++ returns a list, the final map last."""
    return output[-1] if isinstance(output, list) else output
