"""`assist-evaluate`: the Dice of simulated users, with the plain backbone and with a skill."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from torch import nn

from sammed.assist.clicks import ClickPlan, ClickScore, simulate_clicks
from sammed.embeddings.config import EncodingConfig
from sammed.embeddings.scan import Scan
from sammed.errors import AnnotationError, ConfigError, naming
from sammed.jobs.marks import open_marks
from sammed.jobs.seen import open_seen
from sammed.jobs.validation import check_axis, check_indices, check_seed
from sammed.progress import Reporter
from sammed.reports.report import finite
from sammed.skills.inference import annotated_in
from sammed.skills.model import SkillModel
from sammed_volumes.labels import Label, LabelVolume


@dataclass(frozen=True, slots=True, kw_only=True)
class AssistEvaluateRequest:
    """Simulate users of the plain backbone and, if there is one, of the skill.

    `points` are numbers of points of each sign per object, one row each; `boxes` adds jittered boxes,
    `composite` the paper's active scheme. A row is the mean over `seeds`. `exclude_slices` are not measured.
    """

    image: Path
    labels: Path
    skill: Path | None = None
    points: tuple[int, ...] = (1, 3, 5, 10)
    boxes: bool = True
    composite: bool = True
    seeds: tuple[int, ...] = (0, 1, 2)
    label: tuple[str, ...] = ()
    exclude_slices: tuple[int, ...] = ()
    encoding: EncodingConfig = EncodingConfig()
    axis: int | None = None
    window: str = "auto"
    series: str | None = None
    spacing_mm: tuple[float, float, float] | None = None
    fill_gaps: bool = False
    flatten: bool = False
    colors: bool = False
    resample: bool = False

    def __post_init__(self) -> None:
        if not (self.points or self.boxes or self.composite):
            raise ConfigError("There is nothing to simulate: choose points, boxes or the composite scheme.")
        if any(count < 1 for count in self.points):
            raise ConfigError(f"A simulated user sets one point or more, not {min(self.points)}.")
        if not self.seeds:
            raise ConfigError("Give one seed or more.")
        for seed in self.seeds:
            check_seed(seed)
        check_indices("Excluded slices", self.exclude_slices)
        check_axis(self.axis)


@dataclass(frozen=True, slots=True)
class ClickingRow:
    """The scores of one kind of prompt, see `ClickScore`; `trained` means the skill's prompt encoders."""

    backbone: str
    trained: bool
    prompt: Literal["points", "box", "composite"]
    count: int
    dice_mean: float
    dice_std: float
    slices: int

    def to_json(self) -> dict[str, object]:
        """Return the fields under their names, with None in place of NaN."""
        return {name: finite(value) for name, value in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class AssistEvaluateResult:
    """The scores of simulated users."""

    rows: tuple[ClickingRow, ...]

    def to_json(self) -> dict[str, object]:
        """Return the object that `sammed assist-evaluate --json` prints."""
        return {"rows": [row.to_json() for row in self.rows]}


def assist_evaluate(request: AssistEvaluateRequest, reporter: Reporter) -> AssistEvaluateResult:
    """Simulate users on all slices with a label, except those that the skill was learned from."""
    scan, skill = open_seen(request, reporter)
    truth = open_marks(request.labels, scan.volume, request, reporter)
    with naming(request.image):
        excluded = {scan.slicing.stack_index(index) for index in request.exclude_slices}
    annotated = annotated_in(scan, skill.model) if skill else None
    excluded |= set(annotated.indices if annotated else ())
    plan = ClickPlan(point_counts=request.points, boxes=request.boxes, composite=request.composite)
    model = skill.model if skill else None
    labels = _labels(request, truth, model)
    trial = ClickTrial(scan, scan.slicing.to_stack(truth.voxels), frozenset(excluded), plan, request.seeds)
    with naming(request.labels):
        return AssistEvaluateResult(rows=tuple(trial.rows(labels, model, reporter)))


@dataclass(frozen=True, slots=True, eq=False)
class ClickTrial:
    """The slices S H W that users are simulated on, without `excluded` ones, and the plan."""

    scan: Scan
    truth: np.ndarray
    excluded: frozenset[int]
    plan: ClickPlan
    seeds: Sequence[int]

    def rows(
        self, labels: Sequence[Label], skill: SkillModel | None, reporter: Reporter
    ) -> list[ClickingRow]:
        """Return one row for each encoder and kind of prompt, over all labels and seeds."""
        plain = self.scan.backbone.prompt_encoder
        scores: dict[bool, list[ClickScore]] = {False: []}
        with reporter.task("simulated users", len(labels) * (2 if skill else 1)) as task:
            for label in labels:
                scores[False] += self.scores(label, plain)
                task.advance()
                if skill:
                    learned = skill.prompt_encoder(self.scan.backbone, label)
                    scores.setdefault(True, []).extend(self.scores(label, learned))
                    task.advance()
        return [row for trained, found in scores.items() for row in self._rows(trained, found)]

    def scores(self, label: Label, encoder: nn.Module) -> list[ClickScore]:
        """Return the scores for one label, of users with all seeds."""
        indices = [
            index
            for index in np.flatnonzero((self.truth == label.value).any(axis=(1, 2))).tolist()
            if index not in self.excluded
        ]
        if not indices:
            raise AnnotationError(
                f"No slice that is left to measure on shows {label.name!r}; exclude fewer slices."
            )
        embeddings = self.scan.embeddings(indices)
        masks = self.truth[indices] == label.value
        return [
            score
            for seed in self.seeds
            for score in simulate_clicks(
                self.scan.backbone, encoder, embeddings, masks, self.scan.frame, self.plan, seed
            )
        ]

    def _rows(self, trained: bool, scores: Iterable[ClickScore]) -> list[ClickingRow]:
        """Average the scores of one encoder: the mean of the means, the mean of the spreads."""
        by_way: dict[tuple[str, int], list[ClickScore]] = defaultdict(list)
        for score in scores:
            by_way[score.prompt, score.count].append(score)
        return [
            ClickingRow(
                backbone=self.scan.backbone.name,
                trained=trained,
                prompt=each[0].prompt,
                count=each[0].count,
                dice_mean=float(np.mean([score.dice_mean for score in each])),
                dice_std=float(np.mean([score.dice_std for score in each])),
                slices=sum(score.slices for score in each)
                // len(self.seeds),  # every seed measures all of them
            )
            for each in by_way.values()
        ]


def _labels(
    request: AssistEvaluateRequest, truth: LabelVolume, skill: SkillModel | None
) -> tuple[Label, ...]:
    """Return the requested labels; by default all in the truth that a skill, if given, knows."""
    counts = truth.voxel_counts()
    shown = tuple(label for label in truth.labels if counts[label.value])
    known = skill.labels_in(truth) if skill else shown
    if not known:
        raise AnnotationError(f"{truth.path} shows no label that {request.skill} knows.")
    if not request.label:
        return known
    wanted = truth.select(request.label)
    values = {label.value for label in (known if skill else wanted)}
    unknown = [label.name for label in wanted if label.value not in values]
    if unknown:
        raise AnnotationError(
            f"{request.skill} doesn't know {unknown[0]!r}, or {truth.path} does not show it."
        )
    return wanted
