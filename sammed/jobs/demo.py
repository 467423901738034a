"""The demo: the whole job on the chest CT that pip installed, from five annotated slices to a report."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from sammed.assist.clicks import ClickPlan
from sammed.auto.labeling import LabeledStack
from sammed.embeddings.scan import EncodedScan
from sammed.errors import SammedError
from sammed.jobs.clicking import ClickTrial
from sammed.jobs.inputs import DEMO_LABELS, demo_pair
from sammed.jobs.machine import backbone_for
from sammed.jobs.outputs import make_folder
from sammed.jobs.requests import DemoRequest, TrainingRequest
from sammed.jobs.results import ClickingRow, DemoResult
from sammed.jobs.training import train
from sammed.metrics.evaluation import dice
from sammed.progress import Reporter
from sammed.reports.overlay import draw_overlay
from sammed.reports.report import Picture, Report, Table, write_report
from sammed.skills.inference import encode_for, finish, label_encoded
from sammed.skills.model import Skill
from sammed.skills.model_file import load_skill, skill_digest
from sammed.storage.provenance import sha256_of
from sammed.version import __version__
from sammed_volumes.atomic_file import atomic_file, check_free
from sammed_volumes.errors import VolumeError
from sammed_volumes.formats import read_labels, read_volume, write_labels
from sammed_volumes.labels import LabelVolume

SLICES = 5
FILES = (
    "labels.nii.gz",
    "labels.json",
    "labels.seg.nrrd",
    "overlay.png",
    "report.html",
    "skill.safetensors",
    "manifest.json",
)
CLICKS = ClickPlan(point_counts=(1, 3, 5), boxes=True, composite=False)


@dataclass(slots=True)
class Clock:
    """Seconds that each step took, in the order of the steps."""

    steps: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time a step; where it fails, the error says which it was."""
        started = time.perf_counter()
        try:
            yield
        except (SammedError, VolumeError) as error:
            raise type(error)(f"The step {name!r} of the demo failed: {error}") from error
        except OSError as error:
            reason = f"{error.filename or 'the system'}: {error.strerror or error}"
            raise SammedError(f"The step {name!r} of the demo failed: {reason}.") from error
        self.steps[name] = time.perf_counter() - started


def run_demo(request: DemoRequest, reporter: Reporter) -> DemoResult:
    """Learn both lungs from five slices, label all, measure on the rest, and write it all down."""
    started = time.perf_counter()
    paths = _paths(request)
    pair, clock = demo_pair(), Clock()
    with clock.step("read the CT and its labels"):
        volume, truth = read_volume(pair.image), read_labels(pair.labels)
    with clock.step("learn the skill"):
        train(_training(request, paths["skill.safetensors"]), reporter)
    with clock.step("load the skill and the backbone"):
        skill = load_skill(paths["skill.safetensors"])
        backbone = backbone_for(request, request.backbone)
    with clock.step("encode all slices"):
        encoded = encode_for(volume, skill, backbone, reporter)
    with clock.step("label all slices"):
        found = label_encoded(encoded, skill, "sap", reporter)
    with clock.step("simulate users"):
        rows = _clicks(encoded, skill, truth, request.seed, reporter)
    tables = (_accuracy(encoded, skill, found, truth, rows), _seconds(clock))
    with clock.step("write the results"):
        _labels(encoded, skill, found, paths, overwrite=request.overwrite)
        _picture(encoded, skill, found, truth, paths["overlay.png"], overwrite=request.overwrite)
        report = _report(skill, paths["overlay.png"], tables, request)
        write_report(paths["report.html"], report, overwrite=request.overwrite)
        seconds = time.perf_counter() - started
        result = DemoResult(
            output=request.output, files=tuple(paths.values()), tables=tables, seconds=seconds
        )
        _manifest(paths, skill, result, request)
    return result


def _paths(request: DemoRequest) -> dict[str, Path]:
    """Where everything goes; nothing is begun if one of the files exists and may not be replaced."""
    make_folder(request.output)
    paths = {name: request.output / name for name in FILES}
    for path in paths.values():
        check_free(path, overwrite=request.overwrite)
    return paths


def _training(request: DemoRequest, skill: Path) -> TrainingRequest:
    pair = demo_pair()
    return TrainingRequest(
        image=pair.image,
        labels=pair.labels,
        slices=SLICES,
        draw="even",
        label=DEMO_LABELS,
        backbone=request.backbone,
        checkpoint=request.checkpoint,
        device=request.device,
        precision=request.precision,
        runtime=request.runtime,
        cache=False,  # what is measured is the whole work
        seed=request.seed,
        output=skill,
        overwrite=request.overwrite,
    )


def _clicks(
    encoded: EncodedScan, skill: Skill, truth: LabelVolume, seed: int, reporter: Reporter
) -> dict[str, list[ClickingRow]]:
    """Rows of simulated users by the label's name."""
    stack = encoded.scan.slicing.to_stack(truth.voxels)
    trial = ClickTrial(encoded, stack, frozenset(skill.annotations.indices), CLICKS, (seed,))
    return {label.name: trial.rows([label], skill, reporter) for label in skill.labels}


def _accuracy(
    encoded: EncodedScan,
    skill: Skill,
    found: LabeledStack,
    truth: LabelVolume,
    rows: dict[str, list[ClickingRow]],
) -> Table:
    """Dice a label on slices that were not annotated: plain backbone, learned prompts, automatic.

    Of prompts the mean over slices, of the automatic labels that of all slices together.
    """
    names = [label.name for label in skill.labels]
    lines: list[tuple[str | float, ...]] = []
    for trained, owner in ((False, "plain backbone"), (True, "learned prompts")):
        ways = [row for row in rows[names[0]] if row.trained == trained]
        for place, row in enumerate(ways):
            way = "a box" if row.prompt == "box" else f"{row.count} point{'s' if row.count > 1 else ''}"
            scores = [[each for each in rows[name] if each.trained == trained][place] for name in names]
            lines.append((f"{owner}, {way}", *(score.dice_mean for score in scores)))
    lines.append(("automatic, no prompt", *_automatic(encoded, skill, found, truth)))
    return Table("Dice on slices that were not annotated", ("", *names), tuple(lines))


def _automatic(encoded: EncodedScan, skill: Skill, found: LabeledStack, truth: LabelVolume) -> list[float]:
    """Dice of the automatic labels over all slices that nobody annotated, in 3-D."""
    slicing = encoded.scan.slicing
    others = np.setdiff1d(np.arange(slicing.count), skill.annotations.indices)
    true = slicing.to_stack(truth.voxels)[others]
    return [dice(found.stack[others] == label.value, true == label.value) for label in skill.labels]


def _seconds(clock: Clock) -> Table:
    return Table("What took how long", ("step", "seconds"), tuple(clock.steps.items()))


def _labels(
    encoded: EncodedScan, skill: Skill, found: LabeledStack, paths: dict[str, Path], *, overwrite: bool
) -> None:
    """The label volume in two formats; of the first the names stand in a file beside it."""
    labels = finish(encoded, skill, found).labels
    for name in ("labels.nii.gz", "labels.seg.nrrd"):
        write_labels(labels, paths[name], like=encoded.scan.volume, overwrite=overwrite)


def _picture(
    encoded: EncodedScan,
    skill: Skill,
    found: LabeledStack,
    truth: LabelVolume,
    path: Path,
    *,
    overwrite: bool,
) -> None:
    slicing = encoded.scan.slicing
    true = slicing.to_stack(truth.voxels)
    values = [label.value for label in skill.labels]
    per_slice = {
        index: float(np.mean([dice(found.stack[index] == value, true[index] == value) for value in values]))
        for index in range(slicing.count)
        if np.isin(true[index], values).any()
    }
    draw_overlay(
        np.stack([encoded.scan.image(index) for index in range(slicing.count)]),
        found.stack,
        true,
        labels=skill.labels,
        slicing=slicing,
        path=path,
        annotated=skill.annotations.indices,
        dice_per_slice=per_slice,
        overwrite=overwrite,
    )


def _report(skill: Skill, picture: Path, tables: tuple[Table, ...], request: DemoRequest) -> Report:
    annotated = len(skill.annotations.foreground)
    return Report(
        title="sammed on a chest CT",
        summary=(
            f"Learned from {annotated} annotated slices; every other slice was labeled without a prompt. "
            "The CT and its segmentation come with the package slicerio."
        ),
        pictures=(Picture(picture, "Truth and prediction; annotated slices are framed."),),
        tables=tables,
        facts=(
            ("sammed", __version__),
            ("backbone", skill.backbone),
            ("seed", request.seed),
            ("numbers learned in the prompt encoders", skill.learned_numbers),
        ),
    )


def _manifest(paths: dict[str, Path], skill: Skill, result: DemoResult, request: DemoRequest) -> None:
    """Everything that is needed to know what was done, and the digest of every file."""
    pair = demo_pair()
    content = {
        "sammed": __version__,
        "inputs": {path.name: sha256_of(path) for path in (pair.image, pair.labels)},
        "backbone": skill.backbone,
        "backbone_digest": skill.backbone_digest,
        "skill_digest": skill_digest(paths["skill.safetensors"]),
        "seed": request.seed,
        "files": {name: sha256_of(path) for name, path in paths.items() if name != "manifest.json"},
        **{key: value for key, value in result.to_json().items() if key in ("tables", "seconds")},
    }
    with atomic_file(paths["manifest.json"], ".json", overwrite=request.overwrite) as partial:
        partial.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
