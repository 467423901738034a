"""Clicking: how good the masks of simulated users are, with the plain backbone and with a skill."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from torch import nn

from sammed.assist.clicks import ClickPlan, ClickScore, simulate_clicks
from sammed.embeddings.scan import EncodedScan
from sammed.errors import AnnotationError
from sammed.jobs.caching import cache_for
from sammed.jobs.inputs import labels_of_skill, naming, open_labels, open_volume, show
from sammed.jobs.machine import backbone_of
from sammed.jobs.requests import ClickingRequest
from sammed.jobs.results import ClickingResult, ClickingRow
from sammed.progress import Reporter
from sammed.skills.inference import drawn_in
from sammed.skills.model import Skill
from sammed.skills.model_file import load_skill
from sammed_volumes.intensity import auto_window, parse_window
from sammed_volumes.labels import Label, LabelVolume
from sammed_volumes.orientation import axis_of_plane
from sammed_volumes.slices import plan_slices


def evaluate_clicks(request: ClickingRequest, reporter: Reporter) -> ClickingResult:
    """Simulate users on all slices that show a label, those excepted that the skill was learned from."""
    skill = load_skill(request.skill) if request.skill else None
    volume = open_volume(request.image, request.series, reporter)
    truth = open_labels(request.labels, volume, flatten=request.flatten)
    axis = axis_of_plane(volume.affine_ras_mm, skill.plane) if skill else request.axis
    slicing = plan_slices(volume.shape, volume.affine_ras_mm, axis)
    window = skill.window if skill else parse_window(request.window) or auto_window(volume, slicing, None)
    backbone = backbone_of(request, skill)
    encoded = EncodedScan(show(volume, slicing, window), backbone, cache=cache_for(request))
    with naming(request.image):
        excluded = {slicing.stack_index(index) for index in request.exclude_slices}
    drawn = drawn_in(encoded, skill) if skill else None
    excluded |= set(drawn.indices if drawn else ())
    plan = ClickPlan(point_counts=request.points, boxes=request.boxes, composite=request.composite)
    labels = _labels(request, truth, skill)
    trial = ClickTrial(encoded, slicing.to_stack(truth.voxels), frozenset(excluded), plan, request.seeds)
    with naming(request.labels):
        return ClickingResult(rows=tuple(trial.rows(labels, skill, reporter)))


@dataclass(frozen=True, slots=True, eq=False)
class ClickTrial:
    """The slices S H W that users are simulated on, `excluded` ones left out, and how."""

    encoded: EncodedScan
    truth: np.ndarray
    excluded: frozenset[int]
    plan: ClickPlan
    seeds: Sequence[int]

    def rows(self, labels: Sequence[Label], skill: Skill | None, reporter: Reporter) -> list[ClickingRow]:
        """One row for each encoder and way of clicking, over all labels and seeds."""
        plain = self.encoded.backbone.prompt_encoder
        scores: dict[bool, list[ClickScore]] = {False: []}
        with reporter.task("simulated users", len(labels) * (2 if skill else 1)) as task:
            for label in labels:
                scores[False] += self.scores(label, plain)
                task.advance()
                if skill:
                    learned = skill.prompt_encoder(self.encoded.backbone, label)
                    scores.setdefault(True, []).extend(self.scores(label, learned))
                    task.advance()
        return [row for trained, found in scores.items() for row in self._rows(trained, found)]

    def scores(self, label: Label, encoder: nn.Module) -> list[ClickScore]:
        """What the users of all seeds reach for one label."""
        indices = [
            index
            for index in np.flatnonzero((self.truth == label.value).any(axis=(1, 2))).tolist()
            if index not in self.excluded
        ]
        if not indices:
            raise AnnotationError(f"No slice that is left to measure on shows {label.name!r}.")
        embeddings = self.encoded.embeddings(indices)
        masks = self.truth[indices] == label.value
        return [
            score
            for seed in self.seeds
            for score in simulate_clicks(
                self.encoded.backbone, encoder, embeddings, masks, self.encoded.frame, self.plan, seed
            )
        ]

    def _rows(self, trained: bool, scores: Iterable[ClickScore]) -> list[ClickingRow]:
        """Scores of one encoder joined: the mean of the means, the mean of the spreads."""
        by_way: dict[tuple[str, int], list[ClickScore]] = defaultdict(list)
        for score in scores:
            by_way[score.prompt, score.count].append(score)
        return [
            ClickingRow(
                backbone=self.encoded.backbone.name,
                trained=trained,
                prompt=each[0].prompt,
                count=each[0].count,
                dice_mean=float(np.mean([score.dice_mean for score in each])),
                dice_std=float(np.mean([score.dice_std for score in each])),
                slices=sum(score.slices for score in each) // len(self.seeds),  # each seed has them all
            )
            for each in by_way.values()
        ]


def _labels(request: ClickingRequest, truth: LabelVolume, skill: Skill | None) -> tuple[Label, ...]:
    """The labels asked for; by default all that the truth shows and, where there is a skill, it knows."""
    counts = truth.voxel_counts()
    shown = tuple(label for label in truth.labels if counts[label.value])
    known = labels_of_skill(skill, truth) if skill else shown
    if not known:
        raise AnnotationError(f"{truth.path} shows no label that {request.skill} was learned for.")
    if not request.label:
        return known
    wanted = truth.select(request.label)
    values = {label.value for label in (known if skill else wanted)}
    unknown = [label.name for label in wanted if label.value not in values]
    if unknown:
        raise AnnotationError(f"{request.skill} doesn't know {unknown[0]!r}, or {truth.path} has none.")
    return wanted
