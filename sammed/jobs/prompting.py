"""Prompting: masks from a person's points and boxes, by a skill's prompt encoders or the plain backbone."""

import time
from collections.abc import Sequence

import numpy as np
from torch import nn

from sammed.assist.masks import decode_prompts, unite
from sammed.auto.labeling import highest_wins
from sammed.backbones.backbone import Backbone
from sammed.embeddings.scan import EncodedScan
from sammed.jobs.caching import cache_for
from sammed.jobs.inputs import open_volume, show
from sammed.jobs.machine import backbone_of
from sammed.jobs.outputs import beside, label_file
from sammed.jobs.requests import PromptingRequest
from sammed.jobs.results import PromptingResult
from sammed.progress import Reporter
from sammed.prompts.file import read_prompts
from sammed.prompts.placing import Grid, PlacedPrompt, labels_of, place_marks
from sammed.skills.model import Skill
from sammed.skills.model_file import load_skill, skill_digest
from sammed.storage.provenance import Provenance, provenance_beside, sha256_of
from sammed_volumes.atomic_file import check_free
from sammed_volumes.formats import write_labels
from sammed_volumes.intensity import auto_window, parse_window
from sammed_volumes.labels import Label, LabelVolume, default_color, default_label
from sammed_volumes.orientation import axis_of_plane
from sammed_volumes.slices import Slicing, plan_slices
from sammed_volumes.volume import Volume


def label_prompts(request: PromptingRequest, reporter: Reporter) -> PromptingResult:
    """Make a label volume from prompts and write it; slices without a prompt stay empty."""
    output = label_file(request.output or beside(request.image, request.suffix), request.image)
    check_free(output, overwrite=request.overwrite)
    started = time.perf_counter()
    skill = load_skill(request.skill) if request.skill else None
    volume = open_volume(request.image, request.series, reporter)
    slicing = plan_slices(volume.shape, volume.affine_ras_mm, _axis(request, skill, volume))
    placed = _placed(request, slicing, volume, skill.labels if skill else None)
    backbone = backbone_of(request, skill)
    window = skill.window if skill else parse_window(request.window) or auto_window(volume, slicing, None)
    encoded = EncodedScan(show(volume, slicing, window), backbone, cache=cache_for(request))
    stack, labels = decode_placed(encoded, placed, skill, reporter)
    voxels = np.ascontiguousarray(slicing.from_stack(stack))
    found = LabelVolume(voxels, volume.affine_ras_mm, labels)
    slices = tuple(sorted({slicing.array_index(each.slice_index) for each in placed}))
    with provenance_beside(output, _provenance(request, encoded, slices), overwrite=True):
        write_labels(found, output, like=volume, overwrite=request.overwrite)
    return PromptingResult(
        image=request.image,
        output=output,
        backbone=backbone.name,
        axis=slicing.axis,
        slices=slices,
        labels=tuple(label.name for label in labels),
        seconds=time.perf_counter() - started,
    )


def _provenance(request: PromptingRequest, encoded: EncodedScan, slices: tuple[int, ...]) -> Provenance:
    """A person's labels on the slices with prompts; the others are unknown, not empty."""
    return Provenance(
        image_file=request.image.name,
        image_sha256=sha256_of(request.image),
        origin="gold",
        axis=encoded.scan.slicing.axis,
        annotated_slices=slices,
        method="sam_assist",
        skill_digest=skill_digest(request.skill) if request.skill else None,
        backbone=encoded.backbone.name,
    )


def decode_placed(
    encoded: EncodedScan, placed: Sequence[PlacedPrompt], skill: Skill | None, reporter: Reporter
) -> tuple[np.ndarray, tuple[Label, ...]]:
    """The labels S H W that prompts ask for, and which labels these are; the higher logit wins a pixel."""
    shown = sorted({each.slice_index for each in placed})
    with reporter.task("encoding slices", len(shown)) as task:
        encoded.encode(shown, task.advance)
    labels = tuple(sorted({each.label for each in placed}, key=lambda label: label.value))
    logits = []
    for label in labels:
        own = [each for each in placed if each.label == label]
        encoder = _encoder(encoded.backbone, skill, label)
        rows = [shown.index(each.slice_index) for each in own]
        prompts = [each.prompt for each in own]
        decoded = decode_prompts(
            encoded.backbone, encoder, encoded.embeddings(shown), prompts, rows, encoded.frame
        )
        logits.append(unite(decoded, [each.slice_index for each in own], encoded.scan.slicing.count).cpu())
    return highest_wins(encoded, logits, labels), labels


def _encoder(backbone: Backbone, skill: Skill | None, label: Label) -> nn.Module:
    return skill.prompt_encoder(backbone, label) if skill else backbone.prompt_encoder


def _axis(request: PromptingRequest, skill: Skill | None, volume: Volume) -> int | None:
    return axis_of_plane(volume.affine_ras_mm, skill.plane) if skill else request.axis


def _placed(
    request: PromptingRequest, slicing: Slicing, volume: Volume, labels: tuple[Label, ...] | None
) -> tuple[PlacedPrompt, ...]:
    from_file: tuple[PlacedPrompt, ...] = ()
    if request.prompts is not None:
        from_file = read_prompts(request.prompts, slicing, volume.affine_ras_mm, labels)
    if not request.marks:
        return from_file
    grid = Grid(slicing, volume.affine_ras_mm, request.frame)
    known = labels or _joined([each.label for each in from_file], labels_of(request.marks))
    return (*from_file, *place_marks(request.marks, grid, known))


def _joined(first: Sequence[Label], others: Sequence[Label]) -> tuple[Label, ...]:
    """The first labels, and the others that are not among them by name; a value that is taken moves."""
    by_value = {label.value: label for label in first}
    for other in others:
        if other.name in {label.name for label in by_value.values()}:
            continue
        if other.value not in by_value:
            by_value[other.value] = other
        elif other.name != default_label(other.value).name:  # the value was made up for the name
            value = max(by_value) + 1
            by_value[value] = Label(value, other.name, default_color(value))
    return tuple(by_value[value] for value in sorted(by_value))
