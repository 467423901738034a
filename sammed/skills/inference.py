"""Applying a skill to a volume: the same slices, window and pose as it was learned with, then SAM_auto."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from sammed.auto.annotations import Annotations
from sammed.auto.fusion import LabelChoice
from sammed.auto.labeling import LabeledStack, highest_wins, label_stack
from sammed.auto.propagation import PropagationConfig, propagate
from sammed.backbones.backbone import Backbone
from sammed.embeddings.cache import EmbeddingCache
from sammed.embeddings.scan import EncodedScan, open_scan
from sammed.errors import SkillError
from sammed.progress import Reporter, Silent
from sammed.skills.model import Skill
from sammed_volumes.labels import LabelVolume
from sammed_volumes.orientation import axis_of_plane
from sammed_volumes.slices import plan_slices
from sammed_volumes.volume import Volume

GeneratorName = Literal["sap", "propagation", "classification"]


@dataclass(frozen=True, slots=True, eq=False)
class Labeled:
    """A label volume, and what is known about it.

    `agreement` says of each label, by value, how well coarse mask and decoder agree: 0..1, None unknown.
    `annotated` are the array indices along `axis` of the slices that a person marked in this very volume;
    their masks are the person's.
    """

    labels: LabelVolume
    axis: int
    annotated: tuple[int, ...]
    agreement: Mapping[int, float | None]


def encode_for(
    volume: Volume,
    skill: Skill,
    backbone: Backbone,
    reporter: Reporter,
    cache: EmbeddingCache | None = None,
) -> EncodedScan:
    """The volume as the skill wants to see it, every slice encoded or found in the cache."""
    skill.check_backbone(backbone)
    slicing = plan_slices(
        volume.shape, volume.affine_ras_mm, axis_of_plane(volume.affine_ras_mm, skill.plane)
    )
    encoded = EncodedScan(open_scan(volume, slicing, skill.window), backbone, cache=cache)
    with reporter.task("encoding slices", slicing.count) as task:
        encoded.encode(range(slicing.count), task.advance)
    return encoded


def label_volume(
    volume: Volume,
    skill: Skill,
    backbone: Backbone,
    *,
    generator: GeneratorName = "sap",
    reporter: Reporter | None = None,
    cache: EmbeddingCache | None = None,
) -> Labeled:
    """Label a volume without any prompt; slices that are in the `cache` aren't encoded again.

    Slices that a person annotated in this very volume keep the person's masks. Raises SkillError where the
    skill has no generator or another backbone, and for propagation into a volume without annotated slices.
    """
    skill.require_auto()
    encoded = encode_for(volume, skill, backbone, reporter or Silent(), cache)
    if generator == "propagation" and drawn_in(encoded, skill) is None:
        raise SkillError(
            "Propagation starts from annotated slices and this volume has none: "
            "use the generator sap, or learn a skill from this volume."
        )
    return finish(encoded, skill, label_encoded(encoded, skill, generator, reporter))


def finish(encoded: EncodedScan, skill: Skill, found: LabeledStack) -> Labeled:
    """The label volume on the scan's own grid; slices that a person annotated keep the person's masks."""
    slicing = encoded.scan.slicing
    drawn = drawn_in(encoded, skill)
    indices = drawn.indices if drawn else ()
    voxels = np.array(slicing.from_stack(found.stack), order="C")
    if drawn:
        slicing.to_stack(voxels)[list(indices)] = drawn.masks
    return Labeled(
        LabelVolume(voxels, encoded.scan.volume.affine_ras_mm, skill.labels),
        slicing.axis,
        tuple(sorted(slicing.array_index(index) for index in indices)),
        found.agreement,
    )


def drawn_in(encoded: EncodedScan, skill: Skill) -> Annotations | None:
    """The skill's annotated slices if a person drew them in this very scan."""
    return skill.annotations if encoded.digest == skill.volume_sha256 else None


def label_encoded(
    encoded: EncodedScan, skill: Skill, generator: GeneratorName, reporter: Reporter | None = None
) -> LabeledStack:
    """Label an encoded scan, guided by what a person drew in it if the skill was learned from this scan."""
    auto = skill.require_auto()
    encoders = {label.value: skill.prompt_encoder(encoded.backbone, label) for label in skill.labels}
    drawn = drawn_in(encoded, skill)
    with (reporter or Silent()).task("labeling", len(skill.labels)) as task:
        if generator == "propagation":
            rng = np.random.default_rng(skill.seed)
            logits = propagate(encoded, skill.annotations, encoders, PropagationConfig(), rng)
            unknown = {label.value: None for label in skill.labels}
            return LabeledStack(highest_wins(encoded, logits, skill.labels), unknown)
        if generator == "classification":
            choices = {value: _by_points(choice) for value, choice in auto.choices.items()}
            return label_stack(encoded, auto.classifier, encoders, choices, skill.labels, task.advance, drawn)
        return label_stack(encoded, auto.sap_net, encoders, auto.choices, skill.labels, task.advance, drawn)


def _by_points(choice: LabelChoice) -> LabelChoice:
    """What was chosen for SAP-Net says nothing of a classifier but how many components there are."""
    return replace(LabelChoice(rule_name="points"), components=choice.components)
