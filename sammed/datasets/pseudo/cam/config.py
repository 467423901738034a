"""Settings of the classifier and its activation maps: every number, and its source in the paper.

The paper is "Weakly supervised automated extraction of optimal visual prompts for foundational models in
medical image segmentation" (Dhamale and Pawar).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from sammed.errors import ConfigError
from sammed.ranges import check_least, check_positive, check_shares, check_words

Network = Literal["resnet18", "resnet34", "resnet50", "embedding"]
Activation = Literal["grad-cam", "grad-cam++"]
CamPrompt = Literal["box", "box+point", "point"]
CamPoint = Literal["center", "maximum"]
ClassPlan = Literal["auto", "each"]
NONE_NAME = "none"  # the class of pictures without any of the labels
_LAYERS = ("layer1", "layer2", "layer3", "layer4")
CAM_PROMPTS: tuple[CamPrompt, ...] = get_args(CamPrompt)


@dataclass(frozen=True, slots=True)
class ClassifierConfig:
    """Settings of `train_classifier`. Raises ConfigError for a value out of range.

    The network "embedding" is a linear head on the frozen backbone's embedding, fitted to all pictures at
    once; only `weight_decay`, `sharpness`, `balanced`, `held_out` and `least_gain` apply to it. `weights` is
    a file of a ResNet's ImageNet weights, as torchvision publishes them (.pth or .safetensors); None trains
    from scratch.
    """

    network: Network = "resnet18"
    weights: Path | None = None
    image_size: int = 224  # pixels per side, as for ImageNet
    dropout: float = 0.7  # paper, 3.1
    weight_decay: float = 1e-2  # "with weight decay too"; ours, AdamW's own
    sharpness: float = 4.0  # of an embedding head: how few of its cells decide; ours
    learning_rate: float = 3e-4  # ours
    epochs: int = 20  # ours
    batch_size: int = 16  # ours
    balanced: bool = True  # equal class weights in the cross-entropy; the paper tuned them by hand
    held_out: float = 0.2  # paper, 3.1
    least_gain: float = 0.1  # of the mean recall over chance, below which classes are not separated; ours

    def __post_init__(self) -> None:
        check_words(self, "network")
        check_least(self, 1, "epochs", "batch_size")
        if self.weights is not None and self.network == "embedding":
            raise ConfigError("weights are for a ResNet; the network embedding uses the backbone's own.")
        if self.weights is not None and not self.weights.is_file():
            raise ConfigError(f"There is no weights file {self.weights}.")
        check_least(self, 32, "image_size")
        check_shares(self, "dropout", "least_gain")
        if not 0 < self.held_out < 1:
            raise ConfigError(f"held_out is {self.held_out}; it must be between 0 and 1.")
        check_positive(self, "learning_rate", "sharpness")
        check_least(self, 0, "weight_decay")


@dataclass(frozen=True, slots=True)
class CamConfig(ClassifierConfig):
    """Settings of the method `cam`. Raises ConfigError for a value out of range.

    `classes` states what classifiers separate: "auto" trains one classifier for all labels where no picture
    holds two of them (none, benign, malignant), else one for each label (with it, without it), as "each"
    always does. `layer` is the part of a ResNet whose activations are mapped. The classifier's settings come
    first.
    """

    classes: ClassPlan = "auto"
    activation: Activation = "grad-cam"  # paper, table 4: better than Grad-CAM++
    layer: str = "layer4"
    threshold: float = 0.5  # of the map's maximum; the paper gives no number, only that smaller is worse
    prompts: CamPrompt = "box"
    point: CamPoint = "center"  # paper, table 7
    most_regions: int = 1  # of the pseudo mask that become prompts

    def __post_init__(self) -> None:
        ClassifierConfig.__post_init__(self)
        check_words(self, "classes", "activation", "prompts", "point")
        if self.layer not in _LAYERS:
            raise ConfigError(f"layer is {self.layer!r}; use one of {', '.join(_LAYERS)}.")
        if not 0 < self.threshold < 1:
            raise ConfigError(f"threshold is {self.threshold}; it must be between 0 and 1.")
        check_least(self, 1, "most_regions")
