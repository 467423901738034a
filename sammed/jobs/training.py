"""Training: from an image with a few marked slices to a skill file."""

import time
from pathlib import Path

import numpy as np

from sammed.assist.config import AssistConfig
from sammed.auto.annotations import Annotations
from sammed.auto.slice_sampling import Draw, Marked, draw_slices, mark
from sammed.embeddings.scan import EncodedScan
from sammed.errors import AnnotationError
from sammed.jobs.caching import cache_for
from sammed.jobs.inputs import (
    DEMO_LABELS,
    Pair,
    find_pair,
    labels_of_skill,
    naming,
    open_labels,
    open_volume,
    show,
)
from sammed.jobs.machine import backbone_for
from sammed.jobs.requests import GeneratorRequest, TrainingRequest
from sammed.jobs.results import TrainingResult
from sammed.progress import Reporter
from sammed.skills.model import Skill
from sammed.skills.model_file import load_skill, save_skill
from sammed.skills.training import LearningConfig, learn_auto, learn_skill
from sammed_volumes.atomic_file import check_free
from sammed_volumes.intensity import Window, auto_window, parse_window
from sammed_volumes.labels import Label, LabelVolume
from sammed_volumes.orientation import axis_of_plane
from sammed_volumes.slices import Slicing, plan_slices
from sammed_volumes.volume import Volume

BACKGROUND_SLICES = 2
"""Empty slices that are drawn beside the annotated ones; the paper draws some and doesn't say how many."""


def train(request: TrainingRequest, reporter: Reporter) -> TrainingResult:
    """Learn a skill and write it; see TrainingRequest."""
    check_free(request.output, overwrite=request.overwrite)
    started = time.perf_counter()
    pair, is_demo = _pair(request, reporter)
    volume = open_volume(pair.image, request.series, reporter)
    labels = open_labels(pair.labels, volume, flatten=request.flatten)
    wanted = _wanted(labels, request.label or (DEMO_LABELS if is_demo else ()))
    slicing = plan_slices(volume.shape, volume.affine_ras_mm, request.axis)
    with naming(pair.labels):
        annotations = _annotate(request, slicing, labels, wanted)
    window = parse_window(request.window) or _window_of(volume, slicing, annotations)
    backbone = backbone_for(request, request.backbone)
    encoded = EncodedScan(show(volume, slicing, window), backbone, cache=cache_for(request))
    with reporter.task("encoding annotated slices", len(annotations.indices)) as task:
        encoded.encode(annotations.indices, task.advance)
    config = LearningConfig(assist=AssistConfig(prompts=request.prompts))
    skill = learn_skill(encoded, annotations, window, config, request.seed, reporter, auto=request.auto)
    save_skill(skill, request.output, overwrite=request.overwrite)
    return _result(skill, slicing, request.output, time.perf_counter() - started)


def train_generator(request: GeneratorRequest, reporter: Reporter) -> TrainingResult:
    """Learn a skill's generator again, from the same or other annotated slices, and write the skill."""
    output = request.output or request.skill
    check_free(output, overwrite=request.overwrite)
    started = time.perf_counter()
    skill = load_skill(request.skill)
    volume = open_volume(request.image, request.series, reporter)
    labels = open_labels(request.labels, volume, flatten=request.flatten)
    slicing = plan_slices(
        volume.shape, volume.affine_ras_mm, axis_of_plane(volume.affine_ras_mm, skill.plane)
    )
    labels_of_skill(skill, labels)
    with naming(request.labels):
        annotations = _annotate(request, slicing, labels, skill.labels)
    backbone = backbone_for(request, skill.backbone)
    with naming(request.skill):
        skill.check_backbone(backbone)
    encoded = EncodedScan(show(volume, slicing, skill.window), backbone, cache=cache_for(request))
    skill = learn_auto(skill, encoded, annotations, LearningConfig(), request.seed, reporter)
    save_skill(skill, output, overwrite=request.overwrite)
    return _result(skill, slicing, output, time.perf_counter() - started)


def annotate(
    slicing: Slicing,
    labels: LabelVolume,
    wanted: tuple[Label, ...],
    *,
    slices: int | None = None,
    slice_index: tuple[int, ...] = (),
    empty_slices: tuple[int, ...] = (),
    draw: Draw = "normal",
    seed: int = 0,
) -> Annotations:
    """The annotated slices of a label file: drawn, named, or all that are marked.

    `slice_index` and `empty_slices` count along the image's own array.
    """
    marked = mark(slicing.to_stack(labels.voxels), wanted)
    empty = [slicing.stack_index(index) for index in empty_slices]
    wrong = [index for index, stacked in zip(empty_slices, empty, strict=True) if marked.shows[stacked].any()]
    if wrong:
        raise AnnotationError(f"{labels.path}: slice {wrong[0]} was said to be empty but shows a label.")
    if slices is not None:
        drawn = draw_slices(marked, slices, BACKGROUND_SLICES, draw, np.random.default_rng(seed))
        return marked.take(list(drawn.indices), empty)
    if slice_index:
        return _named(marked, [slicing.stack_index(index) for index in slice_index], empty)
    return marked.take(marked.foreground.tolist(), empty)


def _annotate(
    request: TrainingRequest | GeneratorRequest,
    slicing: Slicing,
    labels: LabelVolume,
    wanted: tuple[Label, ...],
) -> Annotations:
    return annotate(
        slicing,
        labels,
        wanted,
        slices=request.slices,
        slice_index=request.slice_index,
        empty_slices=request.empty_slices,
        draw=request.draw,
        seed=request.seed,
    )


def _named(marked: Marked, indices: list[int], empty: list[int]) -> Annotations:
    if not marked.shows[indices].any():
        raise AnnotationError("None of the slices named shows a label.")
    return marked.take(indices, empty)


def _pair(request: TrainingRequest, reporter: Reporter) -> tuple[Pair, bool]:
    if request.image is None or request.labels is None:
        return find_pair(Path.cwd(), reporter)
    return Pair(request.image, request.labels), False


def _wanted(labels: LabelVolume, names: tuple[str, ...]) -> tuple[Label, ...]:
    """The labels asked for, by default all that have a voxel."""
    if names:
        return tuple(sorted(labels.select(names), key=lambda label: label.value))
    counts = labels.voxel_counts()
    return tuple(label for label in labels.labels if counts[label.value])


def _window_of(volume: Volume, slicing: Slicing, annotations: Annotations) -> Window:
    """The window that shows the annotated region well."""
    region = np.zeros(slicing.stack_shape, dtype=bool)
    region[list(annotations.indices)] = annotations.masks > 0
    return auto_window(volume, slicing, region)


def _result(skill: Skill, slicing: Slicing, output: Path, seconds: float) -> TrainingResult:
    indices = skill.annotations.indices
    foreground = [indices[row] for row in skill.annotations.foreground]
    background = [index for index in indices if index not in foreground]
    return TrainingResult(
        skill=output,
        backbone=skill.backbone,
        axis=slicing.axis,
        annotated_slices=tuple(sorted(slicing.array_index(index) for index in foreground)),
        background_slices=tuple(sorted(slicing.array_index(index) for index in background)),
        labels=tuple(label.name for label in skill.labels),
        trainable_parameters=skill.learned_numbers,
        seconds=seconds,
    )
