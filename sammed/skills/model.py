"""The skill as a value: all that was learned for one task. `sammed.skills.skill_file` writes it to a file."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from sammed.annotations.annotations import Annotations
from sammed.assist.label_encoder import LabelEncoder
from sammed.auto.classification import TrainedClassifier
from sammed.auto.label_choice import LabelChoice
from sammed.auto.sap_training import TrainedSapNet
from sammed.backbones.backbone import Backbone, freeze
from sammed.errors import AnnotationError, SkillError
from sammed.version import __version__
from sammed_volumes.intensity import Window
from sammed_volumes.labels import Label, LabelVolume
from sammed_volumes.orientation import Plane


@dataclass(frozen=True, slots=True, eq=False)
class AutoModel:
    """What SAM_auto learned: SAP-Net, the classifier of cells, and the choice of each label by its value."""

    sap_net: TrainedSapNet
    classifier: TrainedClassifier
    choices: Mapping[int, LabelChoice]


@dataclass(frozen=True, slots=True, eq=False)
class SkillModel:
    """One task: its labels, how its slices are shown, a prompt encoder for each label, and perhaps SAM_auto.

    `plane` and `window` define how a volume is sliced and shown; `axis` is the slice axis of the array that
    the skill was trained on. `encoders` holds, by label value, the tensors of the prompt encoder that
    training changed. `annotations` are the annotated slices, in the stack of the volume with the digest
    `volume_sha256`; `resampled_marks` is True if they were interpolated from another grid.
    """

    backbone: str
    backbone_digest: str
    plane: Plane
    axis: int
    window: Window
    labels: tuple[Label, ...]
    encoders: Mapping[int, Mapping[str, Tensor]]
    annotations: Annotations
    volume_sha256: str
    prompts: str
    seed: int
    auto: AutoModel | None = None
    resampled_marks: bool = False
    version: str = __version__

    def check_backbone(self, backbone: Backbone) -> None:
        """Raise SkillError unless the skill was trained on this very backbone."""
        if backbone.name != self.backbone:
            raise SkillError(
                f"The skill was learned on the backbone {self.backbone}, not on {backbone.name}; "
                f"use --backbone {self.backbone} or learn it again."
            )
        if backbone.digest != self.backbone_digest:
            raise SkillError(
                f"The skill was learned on other weights of {self.backbone}: their digests differ. "
                "Use the checkpoint that it was learned on, or learn it again."
            )

    def prompt_encoder(self, backbone: Backbone, label: Label) -> nn.Module:
        """Return the trained prompt encoder of one label, frozen. Raises SkillError where it doesn't fit."""
        encoder = LabelEncoder(backbone.new_prompt_encoder(), backbone.new_prompt_encoder())
        state = encoder.state_dict()
        learned = dict(self.encoders[label.value])
        if not set(learned) <= set(state) or any(
            state[name].shape != learned[name].shape for name in learned
        ):
            raise SkillError(f"The skill's prompt encoder of {label.name!r} does not fit {backbone.name}.")
        encoder.load_state_dict({**state, **learned})
        return freeze(encoder)

    def require_auto(self) -> AutoModel:
        """Return what SAM_auto learned. Raises SkillError where the skill was trained without it."""
        if self.auto is None:
            raise SkillError("The skill has no generator; learn one with `sammed auto-train`.")
        return self.auto

    def labels_in(self, labels: LabelVolume) -> tuple[Label, ...]:
        """Return the skill's labels that a label volume shows under the same value.

        Raises AnnotationError where the volume uses one of these values under another name.
        """
        counts, by_value = labels.voxel_counts(), {label.value: label for label in labels.labels}
        shown = tuple(label for label in self.labels if counts.get(label.value))
        for label in shown:
            name, wanted = by_value[label.value].own_name, label.own_name
            if name and wanted and name != wanted:
                raise AnnotationError(
                    f"{labels.path} calls the label {label.value} {by_value[label.value].name!r} and the "
                    f"skill calls it {label.name!r}; give each structure the same value in both."
                )
        return shown

    @property
    def learned_numbers(self) -> int:
        """How many numbers training changed in the prompt encoders."""
        return sum(tensor.numel() for encoder in self.encoders.values() for tensor in encoder.values())
