"""Accuracy on slices that nobody annotated: `python bench/accuracy.py --data FOLDER --seeds 3`.

Every row is appended to accuracy.jsonl as it is measured, and accuracy.md and accuracy.json are written
anew from all rows, so that a run can be stopped and taken up again. A row that draws prompts from the
truth says so.
"""

import json
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path

import click
import numpy as np
import torch
from cases import Case, find_cases
from tables import FROM_TRUTH, write_tables
from torch import Tensor, nn
from trials import Laboratory, Row, Trial

from sammed.assist.clicks import ClickPlan, simulate_clicks
from sammed.assist.config import AssistConfig
from sammed.assist.masks import decode_prompts, unite
from sammed.assist.training import train_prompt_encoder
from sammed.auto.label_choice import LabelChoice
from sammed.auto.labeling import highest_wins, label_stack
from sammed.auto.prompting import PAPER_RULE, write_prompts
from sammed.auto.sap_net import SapNet, SapNetConfig
from sammed.auto.sap_training import SapTrainingConfig, TrainedSapNet, prepare_episodes, train_sap_net
from sammed.backbones.loading import load_backbone
from sammed.progress import Silent
from sammed.skills.model import SkillModel
from sammed.skills.training import SkillConfig, train_skill

AS_IN_THE_PAPER = " (slices drawn as in the paper)"


def automatic(trial: Trial, window: object) -> Iterator[Row]:
    """SAM_auto as it is, the paper's plain way, the coarse mask alone, and boxes from the truth."""
    started = time.perf_counter()
    skill = train_skill(
        trial.encoded,
        trial.annotations,
        window,
        SkillConfig(),
        trial.seed,
        Silent(),  # type: ignore[arg-type]
    )
    seconds = time.perf_counter() - started
    auto = skill.require_auto()
    encoders = {label.value: skill.prompt_encoder(trial.encoded.backbone, label) for label in skill.labels}
    plain = {value: LabelChoice(components=choice.components) for value, choice in auto.choices.items()}
    coarse = {value: replace(choice, mask_from="coarse") for value, choice in plain.items()}
    ways = (
        ("automatic", auto.choices),
        ("automatic, the paper's plain way", plain),
        ("coarse mask alone", coarse),
    )
    details = {
        value: f"{_text(choice)}; learned in {seconds:.0f} s" for value, choice in auto.choices.items()
    }
    for way, choices in ways:
        drawn = trial.annotations if way == "automatic" else None
        found = label_stack(trial.encoded, auto.sap_net, encoders, choices, skill.labels, drawn=drawn)
        yield from trial.scores("automatic", way, found.stack, details if way == "automatic" else {})
    yield from trial.scores("automatic", FROM_TRUTH, _from_truth(trial, skill, encoders), {})


def _text(choice: LabelChoice) -> str:
    return f"{choice.rule_name}, {choice.mask_from}, {choice.smoothing_mm:g} mm, K={choice.components}"


def _from_truth(trial: Trial, skill: SkillModel, encoders: Mapping[int, nn.Module]) -> np.ndarray:
    """Labels that the skill makes of exact boxes round the truth's components."""
    frame = trial.encoded.frame
    logits = []
    for label in skill.labels:
        true = torch.from_numpy(np.ascontiguousarray(trial.truth == label.value))
        grid = frame.masks_to_mask_grid(true) - 0.5
        logits.append(_decoded(trial, encoders[label.value], grid))
    return highest_wins(trial.encoded, logits, skill.labels)


def _decoded(trial: Trial, encoder: nn.Module, grid: Tensor) -> Tensor:
    prompts, slices = [], []
    for index, each in enumerate(grid):
        written = list(write_prompts(each, trial.encoded.frame, PAPER_RULE))
        prompts += written
        slices += [index] * len(written)
    shown = sorted(set(slices))
    rows = [shown.index(index) for index in slices]
    embeddings = trial.encoded.embeddings(shown)
    decoded = decode_prompts(trial.encoded.backbone, encoder, embeddings, prompts, rows, trial.encoded.frame)
    return unite(decoded, slices, len(grid))


def ablation(trial: Trial, window: object) -> Iterator[Row]:
    """The paper's table 5: prototypes on the plain embedding, then T, positions, biased Dice, top-K."""
    skill = train_skill(
        trial.encoded,
        trial.annotations,
        window,
        SkillConfig(),
        trial.seed,
        Silent(),
        auto=False,  # type: ignore[arg-type]
    )
    encoders = {label.value: skill.prompt_encoder(trial.encoded.backbone, label) for label in skill.labels}
    every = {label.value: LabelChoice(components=10_000) for label in skill.labels}
    best = {label.value: LabelChoice(components=trial.annotations.objects(label)) for label in skill.labels}
    steps = (
        ("PANet's prototypes on the plain embedding", None, every),
        ("with the tuner T", SapTrainingConfig(network=SapNetConfig(positions=False), beta=1.0), every),
        ("and positions", SapTrainingConfig(beta=1.0), every),
        ("and the biased Dice", SapTrainingConfig(), every),
        ("and the top-K components", SapTrainingConfig(), best),
    )
    for way, config, choices in steps:
        net = _prototypes(trial, config)
        found = label_stack(trial.encoded, net, encoders, choices, skill.labels)
        yield from trial.scores("ablation", way, found.stack, {})


def _prototypes(trial: Trial, config: SapTrainingConfig | None) -> TrainedSapNet:
    generator = torch.Generator().manual_seed(trial.seed)
    embeddings = trial.encoded.embeddings(trial.annotations.indices)
    episodes = prepare_episodes(embeddings, trial.annotations.tensor(), trial.encoded.frame)
    if config is not None:
        return train_sap_net(episodes, config, generator)
    network = SapNet(SapNetConfig(positions=False), generator)
    network.tuner = nn.Sequential()  # the embedding as it is
    positions = network.positions(*episodes.embeddings.shape[-2:])
    prototypes = network.prototypes(network.features(episodes.embeddings), episodes.masks, positions)
    return TrainedSapNet(network, prototypes)


def assist(trial: Trial, window: object) -> Iterator[Row]:  # noqa: ARG001
    """Figure 7, tables 2 to 4: prompts of simulated users, plain and learned encoder."""
    encoded = trial.encoded
    for label in trial.annotations.labels:
        rows = list(trial.annotations.showing(label))
        started = time.perf_counter()
        learned = train_prompt_encoder(
            encoded.backbone,
            encoded.embeddings([trial.annotations.indices[row] for row in rows]),
            trial.annotations.mask(label)[rows],
            encoded.frame,
            AssistConfig(),
            torch.Generator().manual_seed(trial.seed),
        )
        detail = f"learned in {time.perf_counter() - started:.0f} s, {learned.steps} steps"
        shown = [index for index in trial.others if (trial.truth[index] == label.value).any()]
        shown = shown[:: max(1, len(shown) // 12)]  # a dozen slices tell as much as all
        masks = trial.truth[shown] == label.value
        for name, encoder in (("plain", encoded.backbone.prompt_encoder), ("learned", learned.encoder)):
            scores = simulate_clicks(
                encoded.backbone,
                encoder,
                encoded.embeddings(shown),
                masks,
                encoded.frame,
                ClickPlan(),
                trial.seed,
            )
            for score in scores:
                way = f"{name}, {score.prompt} {score.count or ''}".strip()
                slices = f"over slices {score.dice_mean:.3f} ± {score.dice_std:.3f}"
                yield trial.row("assist", label, way, score.dice_together, f"{slices}; {detail}")


MEASURES = {"automatic": automatic, "ablation": ablation, "assist": assist}


@click.command()
@click.option("--data", type=click.Path(path_type=Path, exists=True), help="Folder with real images.")
@click.option("--seeds", default=3, show_default=True)
@click.option("--measure", type=click.Choice(list(MEASURES)), multiple=True, default=("automatic",))
@click.option("--group", multiple=True, help="Only these groups of cases.")
@click.option("--label", multiple=True, help="Only these labels, and those learned together with them.")
@click.option("--most", default=99, show_default=True, help="Cases a group.")
@click.option("--slices", type=int, help="Annotated slices, in place of each case's own number.")
@click.option("--draw", type=click.Choice(["normal", "even"]), default="even", show_default=True)
@click.option("--output", type=click.Path(path_type=Path), default=Path("docs/results"), show_default=True)
def main(
    data: Path | None,
    seeds: int,
    measure: tuple[str, ...],
    group: tuple[str, ...],
    label: tuple[str, ...],
    most: int,
    slices: int | None,
    draw: str,
    output: Path,
) -> None:
    """Measure, and write accuracy.md and accuracy.json."""
    output.mkdir(parents=True, exist_ok=True)
    laboratory = Laboratory(load_backbone(runtime="auto"), draw)
    for case in _chosen(find_cases(data), group, most):
        for values in _tasks(case, label):
            for seed in range(seeds):
                trial, window = laboratory.trial(case, values, seed, slices or case.slices)
                for name in measure:
                    if not _is_measured(output / "accuracy.jsonl", name, trial, draw):
                        for row in list(MEASURES[name](trial, window)):  # all rows or none, if it is stopped
                            _append(output / "accuracy.jsonl", replace(row, way=_way(row.way, draw)))
                write_tables(output)


def _is_measured(path: Path, table: str, trial: Trial, draw: str) -> bool:
    """Whether an earlier run wrote these rows; remove the file to measure anew."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    slices = len(trial.annotations.foreground)
    labels = {dict(trial.case.names)[label.value] for label in trial.annotations.labels}
    return any(
        (row["table"], row["case"], row["slices"], row["seed"])
        == (table, trial.case.name, slices, trial.seed)
        and row["label"] in labels
        and row["way"] == _way(row["way"].removesuffix(AS_IN_THE_PAPER), draw)
        for row in map(json.loads, lines)
    )


def _way(way: str, draw: str) -> str:
    return way if draw == "even" else way + AS_IN_THE_PAPER


def _chosen(cases: list[Case], groups: tuple[str, ...], most: int) -> list[Case]:
    by_group: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        if not groups or case.group in groups:
            by_group[case.group].append(case)
    return [case for found in by_group.values() for case in found[:most]]


def _tasks(case: Case, labels: tuple[str, ...]) -> list[tuple[int, ...]]:
    names = dict(case.names)
    return [task for task in case.tasks if not labels or any(names[value] in labels for value in task)]


def _append(path: Path, row: Row) -> None:
    click.echo(f"{row.case:32} {row.label:16} seed {row.seed} {row.dice:.3f}  {row.way}  {row.detail}")
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(row)) + "\n")


if __name__ == "__main__":
    main()
