"""The paper's table 5: prototypes on the plain embedding, then T, positions, the biased Dice, top-K."""

from collections.abc import Iterator, Mapping

import torch
from torch import nn

from bench.accuracy.rows import Row
from bench.accuracy.trials import Trial
from bench.skills import learn_annotated
from sammed.auto.label_choice import LabelChoice
from sammed.auto.labeling import label_stack
from sammed.auto.sap_net import SapNet, SapNetConfig
from sammed.auto.sap_training import SapTrainingConfig, TrainedSapNet, prepare_episodes, train_sap_net

ALL_COMPONENTS = 10_000
Step = tuple[str, SapTrainingConfig | None, Mapping[int, LabelChoice]]


def ablation(trial: Trial) -> Iterator[Row]:
    """Yield the Dice after each step of the table, all with the same prompt encoders."""
    skill = learn_annotated(trial.scan, trial.annotations, trial.seed, auto=False).model
    encoders = {label.value: skill.prompt_encoder(trial.scan.backbone, label) for label in skill.labels}
    for way, config, choices in _steps(trial):
        net = _sap_net(trial, config)
        found = label_stack(trial.scan, net, encoders, choices, skill.labels)
        yield from trial.scores("ablation", way, found.stack)


def _steps(trial: Trial) -> Iterator[Step]:
    annotations = trial.annotations
    every = {label.value: LabelChoice(components=ALL_COMPONENTS) for label in annotations.labels}
    top = {label.value: LabelChoice(components=annotations.objects(label)) for label in annotations.labels}
    no_positions = SapNetConfig(positions=False)
    yield "PANet's prototypes on the plain embedding", None, every
    yield "with the tuner T", SapTrainingConfig(network=no_positions, beta=1.0), every
    yield "and positions", SapTrainingConfig(beta=1.0), every
    yield "and the biased Dice", SapTrainingConfig(), every
    yield "and the top-K components", SapTrainingConfig(), top


def _sap_net(trial: Trial, config: SapTrainingConfig | None) -> TrainedSapNet:
    """Learn a SAP-Net; without a config return prototypes of the embedding as it is."""
    generator = torch.Generator().manual_seed(trial.seed)
    embeddings = trial.scan.embeddings(trial.annotations.indices)
    episodes = prepare_episodes(embeddings, trial.annotations.tensor(), trial.scan.frame)
    if config is not None:
        return train_sap_net(episodes, config, generator)
    network = SapNet(SapNetConfig(positions=False), generator)
    network.tuner = nn.Sequential()
    positions = network.positions(*episodes.embeddings.shape[-2:])
    prototypes = network.prototypes(network.features(episodes.embeddings), episodes.masks, positions)
    return TrainedSapNet(network, prototypes)
