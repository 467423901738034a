"""How a classifier is learned and what its activation maps become: every number, and where it comes from.

The paper is "Weakly supervised automated extraction of optimal visual prompts for foundational models in
medical image segmentation" (Dhamale and Pawar).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from sammed.errors import ConfigError

Network = Literal["resnet18", "resnet34", "resnet50", "embedding"]
Activation = Literal["grad-cam", "grad-cam++"]
CamPrompt = Literal["box", "box+point", "point"]
CamPoint = Literal["center", "maximum"]
ClassPlan = Literal["auto", "each"]
NONE_NAME = "none"  # of the class of pictures without any of the labels
CAM_PROMPTS: tuple[CamPrompt, ...] = get_args(CamPrompt)


@dataclass(frozen=True, slots=True)
class ClassifierConfig:
    """Settings of `learn_classifier`. Raises ConfigError for a value out of range.

    The network "embedding" is a linear head on the frozen backbone's embedding, fitted to all pictures at
    once: of the settings below it has `weight_decay`, `sharpness`, `balanced`, `held_out` and `least_gain`.
    `weights` is a file of a ResNet's weights for ImageNet, as torchvision publishes them (.pth or
    .safetensors); None: from scratch.
    """

    network: Network = "resnet18"
    weights: Path | None = None
    image_size: int = 224  # pixels of a side, ImageNet's
    dropout: float = 0.7  # paper, 3.1
    weight_decay: float = 1e-2  # "with weight decay too"; ours, AdamW's own
    sharpness: float = 4.0  # of an embedding head: how few of its cells speak for a picture; ours
    learning_rate: float = 3e-4  # ours
    epochs: int = 20  # ours
    batch_size: int = 16  # ours
    balanced: bool = True  # classes weigh alike in the cross-entropy; the paper tuned weights by hand
    held_out: float = 0.2  # paper, 3.1
    least_gain: float = 0.1  # of the mean recall over chance, below which classes are not told apart; ours

    def __post_init__(self) -> None:
        if self.network not in get_args(Network):
            raise ConfigError(f"network is {self.network!r}; it is one of {', '.join(get_args(Network))}.")
        for name in ("epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be 1 or more.")
        if self.weights is not None and self.network == "embedding":
            raise ConfigError("weights are those of a ResNet; the embedding's are the backbone's own.")
        if self.weights is not None and not self.weights.is_file():
            raise ConfigError(f"There is no file of weights {self.weights}.")
        if self.image_size < 32:
            raise ConfigError(f"image_size is {self.image_size}; the network needs 32 pixels or more.")
        for name in ("dropout", "least_gain"):
            if not 0 <= getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; it lies from 0 to below 1.")
        if not 0 < self.held_out < 1:
            raise ConfigError(f"held_out is {self.held_out}; a share lies between 0 and 1.")
        for name in ("learning_rate", "sharpness"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be above 0.")
        if not self.weight_decay >= 0:
            raise ConfigError(f"weight_decay is {self.weight_decay}; it must be 0 or more.")


@dataclass(frozen=True, slots=True)
class CamConfig(ClassifierConfig):
    """Settings of the method `cam`. Raises ConfigError for a value out of range.

    `classes` says what is told apart: "auto" takes one classifier for all labels where no picture holds two
    of them (none, benign, malignant), else, as "each" always does, one for each label (with it, without it).
    `layer` is the part of a ResNet whose activations are mapped. The classifier's settings come first.
    """

    classes: ClassPlan = "auto"
    activation: Activation = "grad-cam"  # paper, table 4: better than Grad-CAM++
    layer: str = "layer4"
    threshold: float = 0.5  # of the map's maximum; the paper says that smaller is worse, and no number
    prompts: CamPrompt = "box"
    point: CamPoint = "center"  # paper, table 7
    most_regions: int = 1  # of the pseudo mask that are prompted

    def __post_init__(self) -> None:
        ClassifierConfig.__post_init__(self)
        for name, known in (
            ("classes", get_args(ClassPlan)),
            ("activation", get_args(Activation)),
            ("prompts", CAM_PROMPTS),
            ("point", get_args(CamPoint)),
            ("layer", ("layer1", "layer2", "layer3", "layer4")),
        ):
            if getattr(self, name) not in known:
                raise ConfigError(f"{name} is {getattr(self, name)!r}; it is one of {', '.join(known)}.")
        if not 0 < self.threshold < 1:
            raise ConfigError(f"threshold is {self.threshold}; it lies between 0 and 1.")
        if self.most_regions < 1:
            raise ConfigError(f"most_regions is {self.most_regions}; it must be 1 or more.")
