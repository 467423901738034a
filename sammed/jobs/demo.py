"""`demo`: from five annotated slices of a chest CT that pip installed to a report."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from sammed.assist.clicks import ClickPlan
from sammed.auto.labeling import LabeledStack
from sammed.embeddings.config import EncodingConfig
from sammed.embeddings.scan import Scan
from sammed.errors import SammedError
from sammed.jobs.assist_evaluate import ClickingRow, ClickTrial
from sammed.jobs.assist_train import AssistTrainRequest, assist_train
from sammed.jobs.demo_data import DEMO_LABELS, demo_pair
from sammed.jobs.validation import check_seed
from sammed.metrics.evaluation import dice
from sammed.progress import Reporter
from sammed.reports.overlay import draw_overlay
from sammed.reports.report import Picture, Report, Table, write_report
from sammed.skills.inference import label_slices, scan_for, with_annotations
from sammed.skills.model import SkillModel
from sammed.skills.skill import Skill, load
from sammed.storage.fingerprint import sha256_of
from sammed.storage.json_file import write_json
from sammed.storage.outputs import make_folder
from sammed.version import __version__
from sammed_volumes.atomic_file import atomic_file, check_free
from sammed_volumes.errors import VolumeError
from sammed_volumes.formats import read_labels, read_volume, write_labels
from sammed_volumes.labels import LabelVolume

DEFAULT_OUTPUT = Path("demo-output")

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


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoRequest:
    """Run the demo, and write its results into the folder `output`."""

    output: Path = DEFAULT_OUTPUT
    seed: int = 0
    encoding: EncodingConfig = EncodingConfig(cache=False)  # the demo measures the whole work
    overwrite: bool = False

    def __post_init__(self) -> None:
        check_seed(self.seed)


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoResult:
    """The files of the demo, and its tables."""

    output: Path
    files: tuple[Path, ...]
    tables: tuple[Table, ...]
    seconds: float

    def to_json(self) -> dict[str, object]:
        """Return the object that `sammed demo --json` prints."""
        return {
            "output": str(self.output),
            "files": [str(path) for path in self.files],
            "tables": [table.to_json() for table in self.tables],
            "seconds": round(self.seconds, 3),
        }


@dataclass(slots=True)
class Clock:
    """The seconds of each step, in order."""

    steps: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time a step; an error names it."""
        started = time.perf_counter()
        try:
            yield
        except (SammedError, VolumeError) as error:
            raise type(error)(f"The step {name!r} of the demo failed: {error}") from error
        except OSError as error:
            reason = f"{error.filename or 'the system'}: {error.strerror or error}"
            raise SammedError(f"The step {name!r} of the demo failed: {reason}.") from error
        self.steps[name] = time.perf_counter() - started


def demo(request: DemoRequest, reporter: Reporter) -> DemoResult:
    """Learn both lungs from five slices, label all slices, measure on the others, and write the results."""
    started = time.perf_counter()
    paths = _paths(request)
    pair, clock = demo_pair(), Clock()
    with clock.step("read the CT and its labels"):
        volume, truth = read_volume(pair.image), read_labels(pair.labels)
    with clock.step("learn the skill"):
        assist_train(_training(request, paths["skill.safetensors"]), reporter)
    with clock.step("load the skill and the backbone"):
        skill = load(paths["skill.safetensors"], request.encoding)
        model, backbone = skill.model, skill.backbone
    with clock.step("encode all slices"):
        scan = scan_for(model, volume, backbone)
        with reporter.task("encoding slices", scan.slicing.count) as task:
            scan.encode(range(scan.slicing.count), task.advance)
    with clock.step("label all slices"):
        found = label_slices(scan, model, "sap", reporter)
    with clock.step("simulate users"):
        rows = _clicks(scan, model, truth, request.seed, reporter)
    tables = (_accuracy(scan, model, found, truth, rows), _seconds(clock))
    with clock.step("write the results"):
        _labels(scan, model, found, paths, overwrite=request.overwrite)
        _picture(scan, model, found, truth, paths["overlay.png"], overwrite=request.overwrite)
        report = _report(model, paths["overlay.png"], tables, request)
        write_report(paths["report.html"], report, overwrite=request.overwrite)
        seconds = time.perf_counter() - started
        result = DemoResult(
            output=request.output, files=tuple(paths.values()), tables=tables, seconds=seconds
        )
        _manifest(paths, skill, result, request)
    return result


def _paths(request: DemoRequest) -> dict[str, Path]:
    """Return the paths of all files; raises OutputError if one exists and must not be replaced."""
    make_folder(request.output)
    paths = {name: request.output / name for name in FILES}
    for path in paths.values():
        check_free(path, overwrite=request.overwrite)
    return paths


def _training(request: DemoRequest, skill: Path) -> AssistTrainRequest:
    pair = demo_pair()
    return AssistTrainRequest(
        image=pair.image,
        labels=pair.labels,
        slices=SLICES,
        draw="even",
        label=DEMO_LABELS,
        encoding=request.encoding,
        seed=request.seed,
        output=skill,
        overwrite=request.overwrite,
    )


def _clicks(
    scan: Scan, skill: SkillModel, truth: LabelVolume, seed: int, reporter: Reporter
) -> dict[str, list[ClickingRow]]:
    """Return the rows of simulated users by label name."""
    stack = scan.slicing.to_stack(truth.voxels)
    trial = ClickTrial(scan, stack, frozenset(skill.annotations.indices), CLICKS, (seed,))
    return {label.name: trial.rows([label], skill, reporter) for label in skill.labels}


def _accuracy(
    scan: Scan,
    skill: SkillModel,
    found: LabeledStack,
    truth: LabelVolume,
    rows: dict[str, list[ClickingRow]],
) -> Table:
    """Return the Dice per label on slices without annotation: plain backbone, learned prompts, automatic.

    With prompts this is a mean over slices, for the automatic labels the Dice of all slices together.
    """
    names = [label.name for label in skill.labels]
    lines: list[tuple[str | float, ...]] = []
    for trained, owner in ((False, "plain backbone"), (True, "learned prompts")):
        ways = [row for row in rows[names[0]] if row.trained == trained]
        for place, row in enumerate(ways):
            way = "a box" if row.prompt == "box" else f"{row.count} point{'s' if row.count > 1 else ''}"
            scores = [[each for each in rows[name] if each.trained == trained][place] for name in names]
            lines.append((f"{owner}, {way}", *(score.dice_mean for score in scores)))
    lines.append(("automatic, no prompt", *_automatic(scan, skill, found, truth)))
    return Table("Dice on slices that were not annotated", ("", *names), tuple(lines))


def _automatic(scan: Scan, skill: SkillModel, found: LabeledStack, truth: LabelVolume) -> list[float]:
    """Return the Dice of the automatic labels over all slices without annotation, in 3-D."""
    slicing = scan.slicing
    others = np.setdiff1d(np.arange(slicing.count), skill.annotations.indices)
    true = slicing.to_stack(truth.voxels)[others]
    return [dice(found.stack[others] == label.value, true == label.value) for label in skill.labels]


def _seconds(clock: Clock) -> Table:
    return Table("Time", ("step", "seconds"), tuple(clock.steps.items()))


def _labels(
    scan: Scan, skill: SkillModel, found: LabeledStack, paths: dict[str, Path], *, overwrite: bool
) -> None:
    """Write the label volume in two formats; label names of the first are in a JSON file beside it."""
    labels = with_annotations(scan, skill, found)
    for name in ("labels.nii.gz", "labels.seg.nrrd"):
        write_labels(labels, paths[name], like=scan.volume, overwrite=overwrite)


def _picture(
    scan: Scan,
    skill: SkillModel,
    found: LabeledStack,
    truth: LabelVolume,
    path: Path,
    *,
    overwrite: bool,
) -> None:
    slicing = scan.slicing
    true = slicing.to_stack(truth.voxels)
    stack = slicing.to_stack(with_annotations(scan, skill, found).voxels)  # as in the file
    values = [label.value for label in skill.labels]
    per_slice = {
        index: float(np.mean([dice(stack[index] == value, true[index] == value) for value in values]))
        for index in range(slicing.count)
        if np.isin(true[index], values).any()
    }
    draw_overlay(
        np.stack([scan.image(index) for index in range(slicing.count)]),
        stack,
        true,
        labels=skill.labels,
        slicing=slicing,
        path=path,
        annotated=skill.annotations.indices,
        dice_per_slice=per_slice,
        overwrite=overwrite,
    )


def _report(skill: SkillModel, picture: Path, tables: tuple[Table, ...], request: DemoRequest) -> Report:
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
    """Write what is needed to repeat the demo, and the digest of every file."""
    pair = demo_pair()
    content = {
        "sammed": __version__,
        "inputs": {path.name: sha256_of(path) for path in (pair.image, pair.labels)},
        "backbone": skill.model.backbone,
        "backbone_digest": skill.model.backbone_digest,
        "skill_digest": skill.digest,
        "seed": request.seed,
        "files": {name: sha256_of(path) for name, path in paths.items() if name != "manifest.json"},
        **{key: value for key, value in result.to_json().items() if key in ("tables", "seconds")},
    }
    with atomic_file(paths["manifest.json"], ".json", overwrite=request.overwrite) as partial:
        write_json(partial, content)
