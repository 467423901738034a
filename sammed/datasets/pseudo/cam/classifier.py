"""The classifier: a ResNet that separates pictures with an organ or a finding from others (3.1)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float, Int64
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision.models import resnet

from sammed.datasets.pseudo.cam.config import ClassifierConfig
from sammed.errors import CheckpointError

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
_BUILDERS = {"resnet18": resnet.resnet18, "resnet34": resnet.resnet34, "resnet50": resnet.resnet50}
_IMAGENET_CLASSES = 1000


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """Pictures N C S S as `view` shows them, and the class and the case of each."""

    pixels: Float[Tensor, "N C S S"]
    classes: Int64[Tensor, " N"]
    cases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ClassRow:
    """How well one class is separated from the others on held-out pictures (tables 1 and 6)."""

    name: str
    precision: float
    recall: float
    f1: float
    pictures: int


@dataclass(frozen=True, slots=True, eq=False)
class Classifier:
    """A trained network in evaluation mode, and what is known about it.

    `start` states where training started: "from scratch", from a file of ImageNet weights, or the backbone's
    embedding. `rows` are its scores on held-out pictures.
    """

    network: nn.Module
    names: tuple[str, ...]
    image_size: int
    start: str
    rows: tuple[ClassRow, ...]

    @property
    def mean_recall(self) -> float:
        """The unweighted mean of the recall of the classes."""
        return sum(row.recall for row in self.rows) / len(self.rows)

    def probabilities(self, pixels: Float[Tensor, "N C S S"], batch_size: int = 16) -> Float[Tensor, "N K"]:
        """Return the probability of each class, on the CPU."""
        device = next(self.network.parameters()).device
        with torch.inference_mode():
            logits = [self.network(batch.to(device)).cpu() for batch in torch.split(pixels, batch_size)]
        return torch.softmax(torch.cat(logits), dim=1) if logits else torch.empty(0, len(self.names))

    def digest(self) -> str:
        """Return sha256 of the weights, which identifies the maker of a pseudo-label."""
        digest = hashlib.sha256("/".join(self.names).encode())
        for name, tensor in sorted(self.network.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()


class HeadedResNet(nn.Module):
    """A torchvision ResNet with the paper's extra head: ReLU, dropout, one fully connected layer.

    The head follows the network's own thousand outputs. After its pooling, which is never negative, a ReLU
    would have no effect.
    """

    def __init__(self, trunk: resnet.ResNet, classes: int, dropout: float) -> None:
        super().__init__()
        self.trunk = trunk
        # Activation maps need the gradients of these activations, which in-place ReLUs would lose.
        for module in self.trunk.modules():
            if isinstance(module, nn.ReLU):
                module.inplace = False
        self.head = nn.Sequential(nn.ReLU(), nn.Dropout(dropout), nn.Linear(_IMAGENET_CLASSES, classes))

    def forward(self, pixels: Float[Tensor, "N C S S"]) -> Float[Tensor, "N K"]:
        """Return the logits of the classes of pictures 0..1."""
        logits: Tensor = self.head(self.trunk(as_imagenet(pixels)))
        return logits


def build_resnet(config: ClassifierConfig, classes: int, seed: int) -> HeadedResNet:
    """Return an untrained ResNet: weights from the file in the config, the rest determined by the seed.

    Raises CheckpointError where the file does not hold this network's weights.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = HeadedResNet(_BUILDERS[config.network](weights=None), classes, config.dropout)
    if config.weights is not None:
        _load_weights(network.trunk, config.network, config.weights)
    return network


def as_imagenet(pixels: Float[Tensor, "N C S S"]) -> Float[Tensor, "N 3 S S"]:
    """Return pictures 0..1 in three channels, normalized by ImageNet's mean and standard deviation."""
    mean = pixels.new_tensor(IMAGENET_MEAN)[:, None, None]
    std = pixels.new_tensor(IMAGENET_STD)[:, None, None]
    return (pixels.expand(-1, 3, -1, -1) - mean) / std


def class_rows(
    truth: Int64[Tensor, " N"], found: Int64[Tensor, " N"], names: Sequence[str]
) -> tuple[ClassRow, ...]:
    """Return precision, recall and F1 of each class; 0 where no picture has or gets the class."""
    rows = []
    for index, name in enumerate(names):
        right = int(((truth == index) & (found == index)).sum())
        is_it, said_so = int((truth == index).sum()), int((found == index).sum())
        precision, recall = right / max(said_so, 1), right / max(is_it, 1)
        rows.append(ClassRow(name, precision, recall, 2 * right / max(is_it + said_so, 1), is_it))
    return tuple(rows)


def _load_weights(trunk: nn.Module, name: str, path: Path) -> None:
    tensors = _read_weights(path)
    wanted = trunk.state_dict()
    wrong = [
        key
        for key, tensor in wanted.items()
        if not key.endswith("num_batches_tracked")  # older files lack it, and nothing here uses it
        and (key not in tensors or tensors[key].shape != tensor.shape)
    ]
    if wrong:
        raise CheckpointError(
            f"{path} does not hold the weights of {name}: {len(wrong)} tensors are missing or have another "
            f"shape, such as {wrong[0]}."
        )
    trunk.load_state_dict({key: tensors[key] for key in wanted if key in tensors}, strict=False)


def _read_weights(path: Path) -> dict[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        tensors = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, KeyError, SafetensorError) as error:
        raise CheckpointError(f"{path} can't be read as a weights file ({error}).") from error
    except Exception as error:  # pickle.UnpicklingError, whose text shows how to run what is in the file
        raise CheckpointError(f"{path} is not a plain weights file; save a state_dict.") from error
    if not isinstance(tensors, dict):
        raise CheckpointError(f"{path} is not a table of weights; save the network's state_dict.")
    return tensors
