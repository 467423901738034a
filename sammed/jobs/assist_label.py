"""`assist-label`: masks from points and boxes, with a skill or the plain backbone."""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
from torch import nn

from sammed.assist.masks import unite
from sammed.assist.placed import decode_placed
from sammed.auto.labeling import highest_wins
from sammed.backbones.backbone import Backbone
from sammed.embeddings.config import EncodingConfig
from sammed.embeddings.scan import Scan
from sammed.errors import ConfigError
from sammed.jobs.seen import open_seen
from sammed.jobs.validation import check_axis
from sammed.progress import Reporter
from sammed.prompts.file import read_prompts
from sammed.prompts.marks import CoordinateFrame, Mark
from sammed.prompts.placing import Grid, PlacedPrompt, labels_of, place_marks
from sammed.skills.skill import Skill
from sammed.storage.fingerprint import image_digest
from sammed.storage.outputs import beside, label_file
from sammed.storage.provenance import Provenance, check_label_free, provenance_beside
from sammed_volumes.dicom.codes import NamedCode
from sammed_volumes.formats import write_labels
from sammed_volumes.labels import Label, LabelVolume, default_color, default_label
from sammed_volumes.volume import clear_missing


@dataclass(frozen=True, slots=True, kw_only=True)
class AssistLabelRequest:
    """Make masks from prompts in a file, and from single marks.

    `prompts` is a file for `sammed.prompts.file.read_prompts`, which specifies its own frame; `frame` applies
    to the coordinates of `marks`. With `skill` None the plain backbone is used.
    """

    image: Path
    prompts: Path | None = None
    marks: tuple[Mark, ...] = ()
    frame: CoordinateFrame = "voxel"
    skill: Path | None = None
    encoding: EncodingConfig = EncodingConfig()
    axis: int | None = None
    window: str = "auto"
    output: Path | None = None
    overwrite: bool = False
    suffix: str = ".nii.gz"
    series: str | None = None
    spacing_mm: tuple[float, float, float] | None = None
    fill_gaps: bool = False
    codes: tuple[NamedCode, ...] = ()

    def __post_init__(self) -> None:
        if self.prompts is None and not self.marks:
            raise ConfigError("There is no prompt: give a file of prompts, a point or a box.")
        check_axis(self.axis)


@dataclass(frozen=True, slots=True, kw_only=True)
class AssistLabelResult:
    """A label volume made from prompts; `slices` are array indices along `axis`."""

    image: Path
    output: Path
    backbone: str
    axis: int
    slices: tuple[int, ...]
    labels: tuple[str, ...]
    seconds: float

    def to_json(self) -> dict[str, object]:
        """Return the object that `sammed assist-label --json` prints."""
        paths = {"image": str(self.image), "output": str(self.output)}
        return {**asdict(self), **paths, "seconds": round(self.seconds, 3)}


def assist_label(request: AssistLabelRequest, reporter: Reporter) -> AssistLabelResult:
    """Make a label volume from prompts and write it; slices without a prompt stay empty."""
    output = label_file(request.output or beside(request.image, request.suffix), request.image)
    check_label_free(output, overwrite=request.overwrite)
    started = time.perf_counter()
    scan, skill = open_seen(request, reporter)
    placed = _placed(request, scan, skill.labels if skill else None)
    stack, labels = _decoded(scan, placed, skill, reporter)
    slicing = scan.slicing
    voxels = np.array(slicing.from_stack(stack), order="C")
    clear_missing(voxels, scan.volume)
    found = LabelVolume(voxels, scan.volume.affine_ras_mm, labels)
    slices = tuple(sorted({slicing.array_index(each.slice_index) for each in placed}))
    provenance = _provenance(request, scan, slices, skill)
    with provenance_beside(output, provenance, overwrite=True):
        details = provenance.label_details(request.codes)
        write_labels(found, output, like=scan.volume, overwrite=request.overwrite, details=details)
    return AssistLabelResult(
        image=request.image,
        output=output,
        backbone=scan.backbone.name,
        axis=slicing.axis,
        slices=slices,
        labels=tuple(label.name for label in labels),
        seconds=time.perf_counter() - started,
    )


def _provenance(
    request: AssistLabelRequest, scan: Scan, slices: tuple[int, ...], skill: Skill | None
) -> Provenance:
    """Gold labels on the slices with prompts; the others are unknown, not empty."""
    return Provenance(
        image_file=request.image.name,
        image_sha256=image_digest(request.image),
        origin="gold",
        axis=scan.slicing.axis,
        annotated_slices=slices,
        method="sam_assist",
        skill_digest=skill.digest if skill else None,
        backbone=scan.backbone.name,
        missing_slices=scan.volume.missing_slices,
    )


def _decoded(
    scan: Scan, placed: Sequence[PlacedPrompt], skill: Skill | None, reporter: Reporter
) -> tuple[np.ndarray, tuple[Label, ...]]:
    """Return the label values S H W of prompts, and the labels; the higher logit wins a pixel."""
    shown = sorted({each.slice_index for each in placed})
    with reporter.task("encoding slices", len(shown)) as task:
        scan.encode(shown, task.advance)
    labels, logits = [], []
    for label, slices, decoded in decode_placed(scan, placed, partial(_encoder, scan.backbone, skill)):
        labels.append(label)
        logits.append(unite(decoded, slices, scan.slicing.count).cpu())
    return highest_wins(scan, logits, labels), tuple(labels)


def _encoder(backbone: Backbone, skill: Skill | None, label: Label) -> nn.Module:
    return skill.model.prompt_encoder(backbone, label) if skill else backbone.prompt_encoder


def _placed(
    request: AssistLabelRequest, scan: Scan, labels: tuple[Label, ...] | None
) -> tuple[PlacedPrompt, ...]:
    slicing, affine_ras_mm = scan.slicing, scan.volume.affine_ras_mm
    from_file: tuple[PlacedPrompt, ...] = ()
    if request.prompts is not None:
        from_file = read_prompts(request.prompts, slicing, affine_ras_mm, labels)
    if not request.marks:
        return from_file
    grid = Grid(slicing, affine_ras_mm, request.frame)
    known = labels or _joined([each.label for each in from_file], labels_of(request.marks))
    return (*from_file, *place_marks(request.marks, grid, known))


def _joined(first: Sequence[Label], others: Sequence[Label]) -> tuple[Label, ...]:
    """Return the first labels, and the others with new names; a label whose value is taken gets another."""
    by_value = {label.value: label for label in first}
    for other in others:
        if other.name in {label.name for label in by_value.values()}:
            continue
        if other.value not in by_value:
            by_value[other.value] = other
        elif other.name != default_label(other.value).name:  # else it is only a default name
            value = max(by_value) + 1
            by_value[value] = Label(value, other.name, default_color(value))
    return tuple(by_value[value] for value in sorted(by_value))
