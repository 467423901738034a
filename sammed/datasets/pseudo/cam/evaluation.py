"""Evaluation: prompts from activation maps compared with prompts from the truth (3.4, tables 2 to 8).

As in the paper, the class of each picture is given, and only pictures that hold the label count. For
evaluation only, since it uses the truth.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace

import numpy as np
from jaxtyping import Bool

from sammed.backbones.backbone import Backbone
from sammed.datasets.labeled_sets.labeled_set import Case, LabeledSet
from sammed.datasets.labeled_sets.pictures import Picture, open_case
from sammed.datasets.pseudo.cam.config import Activation, CamConfig, CamPoint, CamPrompt, Network
from sammed.datasets.pseudo.cam.map_prompts import map_prompts, truth_prompts
from sammed.datasets.pseudo.cam.reading import Reader
from sammed.datasets.pseudo.cam.viewing import view
from sammed.datasets.pseudo.slice_logits import prompted_logits
from sammed.embeddings.scan import Scan
from sammed.metrics.evaluation import dice
from sammed.prompts.prompt import Prompt


@dataclass(frozen=True, slots=True)
class Overlap:
    """Dice, IoU and the share of correct pixels, 0..1 (formulas of 3.4), of one picture or as means."""

    dice: float
    iou: float
    pixel_accuracy: float


@dataclass(frozen=True, slots=True)
class PromptRow:
    """One way of prompting for one label: means over pictures, from maps and from the truth."""

    label: str
    network: Network
    classes: int
    activation: Activation
    prompts: CamPrompt
    point: CamPoint
    from_map: Overlap
    from_truth: Overlap
    pictures: int


def overlap(prediction: Bool[np.ndarray, "H W"], truth: Bool[np.ndarray, "H W"]) -> Overlap:
    """Return the three measures of one picture; two empty masks agree fully."""
    found = dice(prediction, truth)
    return Overlap(found, found / (2 - found), float((prediction == truth).mean()))


def evaluate_prompts(
    cases: Sequence[Case],
    labeled_set: LabeledSet,
    readers: Sequence[Reader],
    backbone: Backbone,
    ways: Sequence[tuple[CamPrompt, CamPoint]],
) -> tuple[PromptRow, ...]:
    """Return a row for each reader, label and way of prompting, over the labeled pictures of the cases."""
    scores: dict[tuple[int, int, int], list[tuple[Overlap, Overlap]]] = defaultdict(list)
    for case in cases:
        opened = open_case(case, labeled_set)
        scan = opened.scan(backbone)
        for index in opened.known:
            picture = opened.picture(index)
            for place, reader in enumerate(readers):
                for value in _held(picture, reader):
                    for way, pair in enumerate(_score(scan, picture, reader, value, ways)):
                        scores[place, value, way].append(pair)
    return tuple(
        _row(readers[place], value, ways[way], pairs) for (place, value, way), pairs in scores.items()
    )


def _held(picture: Picture, reader: Reader) -> list[int]:
    """Return the reader's labels that a picture holds."""
    assert picture.labels is not None  # only known slices are used
    return [value for value in reader.task.values if value and (picture.labels == value).any()]


def _score(
    scan: Scan,
    picture: Picture,
    reader: Reader,
    value: int,
    ways: Sequence[tuple[CamPrompt, CamPoint]],
) -> list[tuple[Overlap, Overlap]]:
    """Return the scores from the map and from the truth, for each way of prompting."""
    assert picture.labels is not None
    truth = picture.labels == value
    pixels = view(scan, picture.index, reader.config)[None]
    map_ = reader.map(pixels, reader.task.values.index(value), truth.shape)
    pairs = []
    for prompts, point in ways:
        config: CamConfig = replace(reader.config, prompts=prompts, point=point)
        found = _mask(scan, picture.index, list(map_prompts(map_, config)))
        best = _mask(scan, picture.index, list(truth_prompts(truth, config)))
        pairs.append((overlap(found, truth), overlap(best, truth)))
    return pairs


def _mask(scan: Scan, index: int, prompts: Sequence[Prompt]) -> Bool[np.ndarray, "H W"]:
    if not prompts:
        return np.zeros((scan.frame.height, scan.frame.width), dtype=bool)
    return prompted_logits(scan, index, prompts) > 0


def _row(
    reader: Reader, value: int, way: tuple[CamPrompt, CamPoint], pairs: Sequence[tuple[Overlap, Overlap]]
) -> PromptRow:
    return PromptRow(
        label=reader.task.names[reader.task.values.index(value)],
        network=reader.config.network,
        classes=len(reader.task.values),
        activation=reader.config.activation,
        prompts=way[0],
        point=way[1],
        from_map=_mean([pair[0] for pair in pairs]),
        from_truth=_mean([pair[1] for pair in pairs]),
        pictures=len(pairs),
    )


def _mean(overlaps: Sequence[Overlap]) -> Overlap:
    columns = zip(*map(astuple, overlaps), strict=True)
    return Overlap(*(sum(column) / len(overlaps) for column in columns))
