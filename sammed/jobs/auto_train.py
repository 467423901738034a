"""`auto-train`: learn a skill's generator again, from the same or other annotated slices."""

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

from sammed.annotations.slice_sampling import Draw, annotate
from sammed.embeddings.config import EncodingConfig
from sammed.embeddings.opening import open_volume
from sammed.errors import naming
from sammed.jobs.assist_train import DEFAULT_SKILL, AssistTrainResult, train_result
from sammed.jobs.expectation import expected_dice, report_low
from sammed.jobs.marks import open_marks
from sammed.jobs.validation import check_model, check_replaced, check_seed, check_slices, check_word
from sammed.progress import Reporter
from sammed.skills.inference import scan_for
from sammed.skills.skill import Skill, load
from sammed.skills.training import SkillConfig, train_auto
from sammed_volumes.atomic_file import check_free


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoTrainRequest:
    """Learn only a skill's generator again, from slices chosen as in AssistTrainRequest.

    Axis, window and labels are the skill's. With `output` None the skill itself is replaced, which
    `overwrite` must allow.
    """

    image: Path
    labels: Path
    skill: Path = DEFAULT_SKILL
    slices: int | None = None
    slice_index: tuple[int, ...] = ()
    empty_slices: tuple[int, ...] = ()
    draw: Draw = "even"
    encoding: EncodingConfig = EncodingConfig()
    seed: int = 0
    output: Path | None = None
    overwrite: bool = False
    series: str | None = None
    fill_gaps: bool = False
    spacing_mm: tuple[float, float, float] | None = None
    flatten: bool = False
    colors: bool = False
    resample: bool = False

    def __post_init__(self) -> None:
        check_slices(self.slices, self.slice_index, self.empty_slices)
        check_word("way to draw slices", self.draw, get_args(Draw))
        check_seed(self.seed)
        if self.output is not None:
            check_model("skill", self.output)
        check_replaced("skill", self.output, self.skill, self.overwrite)


def auto_train(request: AutoTrainRequest, reporter: Reporter) -> AssistTrainResult:
    """Learn the generator and write the skill with it; its prompt encoders don't change."""
    output = request.output or request.skill
    check_free(output, overwrite=request.overwrite)
    started = time.perf_counter()
    skill = load(request.skill, request.encoding)
    volume = open_volume(
        request.image, request.series, reporter, fill_gaps=request.fill_gaps, spacing_mm=request.spacing_mm
    )
    labels = open_marks(request.labels, volume, request, reporter)
    skill.model.labels_in(labels)
    with naming(request.skill):
        backbone = skill.backbone
    scan = scan_for(skill.model, volume, backbone, request.encoding.open_cache())
    with naming(request.labels):
        annotations = annotate(
            scan.slicing,
            labels,
            skill.labels,
            slices=request.slices,
            slice_index=request.slice_index,
            empty_slices=request.empty_slices,
            draw=request.draw,
            seed=request.seed,
        )
    model = train_auto(skill.model, scan, annotations, SkillConfig(), request.seed, reporter)
    resampled = skill.model.resampled_marks or labels.resampled
    skill = Skill(replace(model, resampled_marks=resampled), backbone=backbone)
    skill.save(output, overwrite=request.overwrite)
    report_low(expected_dice(skill.model), reporter)
    return train_result(skill, scan.slicing, output, time.perf_counter() - started)
