"""Inference: label a volume with a skill, sliced and shown as in the skill's training."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from sammed.annotations.annotations import Annotations
from sammed.auto.label_choice import LabelChoice
from sammed.auto.labeling import LabeledStack, highest_wins, label_stack
from sammed.auto.propagation import PropagationConfig, propagate
from sammed.backbones.backbone import Backbone
from sammed.embeddings.cache import EmbeddingCache
from sammed.embeddings.labeled import Labeled
from sammed.embeddings.scan import Scan, open_scan
from sammed.errors import SkillError
from sammed.progress import Reporter, Silent
from sammed.skills.model import SkillModel
from sammed_volumes.labels import LabelVolume
from sammed_volumes.orientation import axis_of_plane
from sammed_volumes.volume import Volume, clear_missing

GeneratorName = Literal["sap", "propagation", "classification"]


def scan_for(
    skill: SkillModel, volume: Volume, backbone: Backbone, cache: EmbeddingCache | None = None
) -> Scan:
    """Open the volume as the skill sees it. Raises SkillError for another backbone than the skill's."""
    skill.check_backbone(backbone)
    axis = axis_of_plane(volume.affine_ras_mm, skill.plane)
    return open_scan(volume, backbone, window=skill.window, axis=axis, cache=cache)


def label_scan(
    scan: Scan,
    skill: SkillModel,
    skill_digest: str,
    generator: GeneratorName = "sap",
    reporter: Reporter | None = None,
) -> Labeled:
    """Label all slices without a prompt. Slices that were annotated in this very scan keep their masks.

    Slices are encoded once, or read from the scan's cache. Raises SkillError where the skill has no
    generator, and for propagation into a scan without annotated slices.
    """
    skill.require_auto()
    reporter = reporter or Silent()
    with reporter.task("encoding slices", scan.slicing.count) as task:
        scan.encode(range(scan.slicing.count), task.advance)
    if generator == "propagation" and annotated_in(scan, skill) is None:
        raise SkillError(
            "Propagation starts from annotated slices and this volume has none: "
            "use the generator sap, or train a skill on this volume."
        )
    found = label_slices(scan, skill, generator, reporter)
    return Labeled(
        scan=scan,
        labels=with_annotations(scan, skill, found),
        method=f"sam_auto/{generator}",
        skill_digest=skill_digest,
        annotated=annotated_slices(scan, skill),
        estimates=found.agreement,
        backbone=scan.backbone.name,
    )


def label_slices(
    scan: Scan, skill: SkillModel, generator: GeneratorName, reporter: Reporter | None = None
) -> LabeledStack:
    """Label every slice by SAM_auto, guided by slices that were annotated in this very scan."""
    auto = skill.require_auto()
    encoders = {label.value: skill.prompt_encoder(scan.backbone, label) for label in skill.labels}
    annotated = annotated_in(scan, skill)
    with (reporter or Silent()).task("labeling", len(skill.labels)) as task:
        if generator == "propagation":
            rng = np.random.default_rng(skill.seed)
            logits = propagate(scan, skill.annotations, encoders, PropagationConfig(), rng)
            unknown = {label.value: None for label in skill.labels}
            return LabeledStack(highest_wins(scan, logits, skill.labels), unknown)
        if generator == "classification":
            choices = {value: _by_points(choice) for value, choice in auto.choices.items()}
            return label_stack(
                scan, auto.classifier, encoders, choices, skill.labels, task.advance, annotated
            )
        return label_stack(scan, auto.sap_net, encoders, auto.choices, skill.labels, task.advance, annotated)


def with_annotations(scan: Scan, skill: SkillModel, found: LabeledStack) -> LabelVolume:
    """Return the label volume on the scan's own grid. Annotated slices keep the annotator's masks."""
    annotated = annotated_in(scan, skill)
    voxels = np.array(scan.slicing.from_stack(found.stack), order="C")
    if annotated:
        scan.slicing.to_stack(voxels)[list(annotated.indices)] = annotated.masks
    clear_missing(voxels, scan.volume)
    return LabelVolume(voxels, scan.volume.affine_ras_mm, skill.labels)


def annotated_slices(scan: Scan, skill: SkillModel) -> tuple[int, ...]:
    """Return array indices of the slices that were annotated in this very scan."""
    annotated = annotated_in(scan, skill)
    indices = annotated.indices if annotated else ()
    return tuple(sorted(scan.slicing.array_index(index) for index in indices))


def annotated_in(scan: Scan, skill: SkillModel) -> Annotations | None:
    """Return the skill's annotations if they were made in this very scan."""
    return skill.annotations if scan.digest == skill.volume_sha256 else None


def _by_points(choice: LabelChoice) -> LabelChoice:
    """Return the plain choice with points: rule, mask and smoothing were chosen for SAP-Net."""
    return replace(LabelChoice(rule_name="points"), components=choice.components, mixture=choice.mixture)
