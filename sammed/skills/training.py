"""Train a skill: a prompt encoder for each label (SAM_assist), then what writes the prompts (SAM_auto)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from sammed.annotations.annotations import Annotations
from sammed.assist.config import AssistConfig
from sammed.assist.training import train_prompt_encoder
from sammed.auto.classification import ClassificationConfig, train_classifier
from sammed.auto.cross_validation import CrossValidationConfig, cross_validate
from sammed.auto.sap_training import SapTrainingConfig, prepare_episodes, train_sap_net
from sammed.embeddings.scan import Scan
from sammed.progress import Reporter
from sammed.skills.model import AutoModel, SkillModel


@dataclass(frozen=True, slots=True)
class SkillConfig:
    """All settings of training, part by part."""

    assist: AssistConfig = field(default_factory=AssistConfig)
    sap_net: SapTrainingConfig = field(default_factory=SapTrainingConfig)
    choosing: CrossValidationConfig = field(default_factory=CrossValidationConfig)
    classification: ClassificationConfig = field(default_factory=ClassificationConfig)


def train_skill(
    scan: Scan,
    annotations: Annotations,
    config: SkillConfig,
    seed: int,
    reporter: Reporter,
    *,
    auto: bool = True,
) -> SkillModel:
    """Train everything on the annotated slices of one scan; `auto` False leaves SAM_auto out."""
    generator = torch.Generator().manual_seed(seed)
    encoders = _train_encoders(scan, annotations, config.assist, generator, reporter)
    slicing = scan.slicing
    skill = SkillModel(
        backbone=scan.backbone.name,
        backbone_digest=scan.backbone.digest,
        plane=slicing.plane,
        axis=slicing.axis,
        window=scan.window,
        labels=annotations.labels,
        encoders={value: _weights(encoder) for value, encoder in encoders.items()},
        annotations=annotations,
        volume_sha256=scan.digest,
        prompts=config.assist.prompts,
        seed=seed,
    )
    return train_auto(skill, scan, annotations, config, seed, reporter) if auto else skill


def train_auto(
    skill: SkillModel,
    scan: Scan,
    annotations: Annotations,
    config: SkillConfig,
    seed: int,
    reporter: Reporter,
) -> SkillModel:
    """Return the same skill with SAM_auto trained (again) on these annotated slices."""
    generator = torch.Generator().manual_seed(seed)
    masks = annotations.tensor()
    embeddings = scan.embeddings(annotations.indices)
    with reporter.task("SAP-Net", config.sap_net.steps) as task:
        episodes = prepare_episodes(embeddings, masks, scan.frame)
        sap_net = train_sap_net(episodes, config.sap_net, generator, task.advance)
    classifier = train_classifier(embeddings, masks, scan.frame, config.classification)
    encoders = {label.value: skill.prompt_encoder(scan.backbone, label) for label in annotations.labels}
    with reporter.task("cross-validation, label by label", len(encoders)) as task:
        choices = cross_validate(
            scan, annotations, encoders, config.sap_net, config.choosing, generator, task.advance
        )
    return replace(
        skill,
        annotations=annotations,
        volume_sha256=scan.digest,
        auto=AutoModel(sap_net, classifier, choices),
    )


def _train_encoders(
    scan: Scan,
    annotations: Annotations,
    config: AssistConfig,
    generator: torch.Generator,
    reporter: Reporter,
) -> Mapping[int, nn.Module]:
    encoders = {}
    for label in annotations.labels:
        rows = list(annotations.showing(label))
        embeddings = scan.embeddings([annotations.indices[row] for row in rows])
        with reporter.task(f"prompt encoder of {label.name}", config.most_steps) as task:
            trained = train_prompt_encoder(
                scan.backbone,
                embeddings,
                annotations.mask(label)[rows],
                scan.frame,
                config,
                generator,
                lambda _steps_done, task=task: task.advance(),  # type: ignore[misc]
            )
        encoders[label.value] = trained.encoder
    return encoders


def _weights(encoder: nn.Module) -> dict[str, Tensor]:
    """Return the tensors that training changes: all weights, not the Fourier matrix, which is a buffer."""
    return {name: weight.detach().clone() for name, weight in encoder.named_parameters()}
