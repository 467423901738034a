"""Prompts from activation maps compared with those from the truth, on test cases (tables 2 to 8)."""

from collections.abc import Iterator, Sequence

from bench.pseudo.rows import EMBEDDING_CAM, Row
from bench.pseudo.trial import Trial
from sammed.datasets.pseudo.cam.config import CamConfig, CamPoint, CamPrompt
from sammed.datasets.pseudo.cam.evaluation import PromptRow, evaluate_prompts
from sammed.datasets.pseudo.cam.reading import Reader, mapped_by, train_readers
from sammed.errors import AnnotationError
from sammed.progress import Silent

WAYS: tuple[tuple[CamPrompt, CamPoint], ...] = (
    ("box", "center"),
    ("box+point", "center"),
    ("box+point", "maximum"),
    ("point", "center"),
    ("point", "maximum"),
)


def cam(trial: Trial) -> Iterator[Row]:
    """Maps of a ResNet."""
    yield from _cam("cam", trial, CamConfig(layer="layer3", epochs=6))


def embedding_cam(trial: Trial) -> Iterator[Row]:
    """Maps of a linear head on the backbone's embedding."""
    yield from _cam(EMBEDDING_CAM, trial, CamConfig(network="embedding"))


def _cam(experiment: str, trial: Trial, config: CamConfig) -> Iterator[Row]:
    truth, backbone = trial.shown.truth, trial.laboratory.backbone
    try:
        readers = train_readers(truth.part("train"), config, trial.seed, backbone, Silent())
    except AnnotationError as error:
        yield trial.row(experiment, "no classifier", "recall", 0.0, detail=str(error))
        return
    for reader in readers:
        way, classifier = " or ".join(reader.task.names), reader.classifier
        yield trial.row(experiment, way, "recall", classifier.mean_recall, detail=classifier.start)
    for found in _scores(trial, readers):
        yield from _rows(experiment, trial, found)


def _scores(trial: Trial, readers: Sequence[Reader]) -> Iterator[PromptRow]:
    """All prompts from Grad-CAM, and boxes from Grad-CAM++."""
    truth, backbone = trial.shown.truth, trial.laboratory.backbone
    cases = truth.part("test").cases
    yield from evaluate_prompts(cases, truth, readers, backbone, WAYS)
    plus = [mapped_by(reader, "grad-cam++") for reader in readers]
    yield from evaluate_prompts(cases, truth, plus, backbone, WAYS[:1])


def _rows(experiment: str, trial: Trial, found: PromptRow) -> Iterator[Row]:
    point = "" if found.prompts == "box" else f", {found.point}"
    way = f"{found.label}: {found.activation}, {found.prompts}{point}"
    detail = f"{found.pictures} pictures"
    for measure, ours, best in (
        ("Dice", found.from_map.dice, found.from_truth.dice),
        ("IoU", found.from_map.iou, found.from_truth.iou),
        ("pixels", found.from_map.pixel_accuracy, found.from_truth.pixel_accuracy),
    ):
        yield trial.row(experiment, way, measure, ours, detail=detail)
        yield trial.row(experiment, way, f"{measure} by truth", best, detail=detail)
