"""The experiments of the papers, each on one set with one seed."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from pseudo_laboratory import Made, Trial
from pseudo_rows import Row

from sammed.datasets.labeled_sets.set_file import write_set
from sammed.datasets.pseudo.assist_config import PROMPT_STYLES
from sammed.datasets.pseudo.cam.config import CamConfig, CamPoint, CamPrompt
from sammed.datasets.pseudo.cam.evaluation import PromptRow, evaluate_prompts
from sammed.datasets.pseudo.cam.reading import learn_readers, mapped_by
from sammed.errors import AnnotationError
from sammed.progress import Silent

TRUTH, GOLD = "the truth", "gold alone"
STUDENT, LABELS = "student", "labels"
EMBEDDING_CAM = "cam of the embedding"
WAYS: tuple[tuple[CamPrompt, CamPoint], ...] = (
    ("box", "center"),
    ("box+point", "center"),
    ("box+point", "maximum"),
    ("point", "center"),
    ("point", "maximum"),
)


def base(trial: Trial) -> Iterator[Row]:
    """What all others are measured against: the student of all truth, and that of the gold alone."""
    for way, labeled_set in ((TRUTH, trial.drawn.truth), (GOLD, trial.drawn.visible)):
        score = trial.student_dice(trial.student(labeled_set))
        yield _row("base", trial, way, STUDENT, score, detail=f"{trial.config.steps} steps")


def auto(trial: Trial) -> Iterator[Row]:
    """SAM^Med's labels, and the student that learns from them (Supervised and pseudo-labels compared)."""
    folder = trial.workspace("auto")
    made = trial.label(trial.labeler("auto", dict(trial.source.auto), folder), folder)
    yield from _labels_and_student("auto", trial, "auto", made)


def coarse(trial: Trial) -> Iterator[Row]:
    """Auto-Generate-WLs, tables 1 and 3: gold against gold and weak by number of weak labels."""
    folder = trial.workspace("coarse")
    made = trial.label(trial.labeler("coarse", _coarse_settings(trial, "box"), folder), folder)
    yield _row("coarse", trial, "box", LABELS, trial.label_dice(made), detail=made.coverage)
    wanted = [case.name for case in trial.drawn.wanted]
    for number in trial.source.weak:
        some = made.only([name for name in wanted[:number] if name in made.names], trial.drawn.visible)
        yield _row("coarse", trial, "box", STUDENT, trial.student_dice(trial.student(some)), number)


def prompts_of_coarse(trial: Trial) -> Iterator[Row]:
    """The other columns of Auto-Generate-WLs' table 1: points, and the backbone's own automatic masks."""
    ways = ("points", "automatic") if trial.labels == 1 else ("points",)
    for way in ways:
        folder = trial.workspace("coarse")  # the coarse student is the same: its training is found there
        made = trial.label(trial.labeler("coarse", _coarse_settings(trial, way), folder), folder)
        yield from _labels_and_student("weak prompts", trial, way, made)


def _coarse_settings(trial: Trial, prompts: str) -> dict[str, str]:
    own = trial.config
    kept = {} if trial.labels == 1 else {"most_of_one_class": "1"}  # an organ may be small in its slice
    return {
        **kept,
        "prompts": prompts,
        "least_agreement": "0.7",  # of two masks that agree less one is wrong
        "network": own.network,
        "size_px": str(own.size_px),
        "batch_size": str(own.batch_size),
        "steps": str(own.steps),
        "optimizer": own.optimizer,  # the paper's SGD finds nothing in so few steps
        "learning_rate": str(own.learning_rate),
        "least_learning_rate": str(own.least_learning_rate),
    }


def rounds(trial: Trial) -> Iterator[Row]:
    """SamDSK against plain pseudo-labels, round by round (tables 1 to 3, figure 7)."""
    yield from _samdsk(trial)
    yield from _plain(trial, 2)


def _samdsk(trial: Trial) -> Iterator[Row]:
    from sammed.datasets.pseudo.samdsk.pseudo_labeler import SamDskLabeler

    folder = trial.workspace("samdsk")
    labeler = trial.labeler("samdsk", _samdsk_settings(trial), folder)
    made = trial.label(labeler, folder)
    assert isinstance(labeler, SamDskLabeler)
    yield from _top(trial, made)
    added = 0
    for each in labeler.history.rounds:
        detail = f"{each.added} of {each.tried} added"
        if each.mean_score is not None:
            yield _row("rounds", trial, "SamDSK", "beta", each.mean_score, each.number, detail)
        yield _row("rounds", trial, "SamDSK", "trained on", each.trained_on, each.number, detail)
        student = _student_of_round(trial, folder, each.number)
        if student is not None:
            yield _row("rounds", trial, "SamDSK", STUDENT, student, each.number - 1, f"{added} added before")
        added += each.added
    scores = {case.name: case.score or 0.0 for case in made.labeled_set.pseudo}
    selected = [name for name in made.names if scores[name] > SELECTED]
    final = trial.student(made.only(selected, trial.drawn.visible))
    detail = f"{len(selected)} of {made.asked} selected"
    yield _row("rounds", trial, "SamDSK, at the end", STUDENT, trial.student_dice(final), detail=detail)
    if selected:
        dice = float(np.mean([trial.case_dice(made, name) for name in selected]))
        yield _row("rounds", trial, "SamDSK", LABELS, dice, detail=detail)


SELECTED = 0.9  # the paper's threshold of beta


def _samdsk_settings(trial: Trial) -> dict[str, str]:
    own = trial.config
    student = {
        "network": own.network,
        "size_px": str(own.size_px),
        "features": ",".join(map(str, own.features)),
        "learning_rate": str(own.learning_rate),
        "batch_size": str(own.batch_size),
        "steps": str(own.steps),
    }
    shared = {f"student.{name}": value for name, value in student.items()}
    return {**shared, "proposals.most_boxes": "50", "keep_rejected": "yes", "most_rounds": "4"}


def _top(trial: Trial, made: Made) -> Iterator[Row]:
    """IoU of the labels with the highest beta, a tenth of all, and of all labels."""
    count = max(1, round(0.1 * made.asked))
    ious = {name: _iou(trial.case_dice(made, name)) for name in made.names}
    for measure, names in (("IoU of the top tenth", made.names[:count]), ("IoU of all", made.names)):
        if names:
            value = float(np.mean([ious[name] for name in names]))
            scores = [made.labeled_set.case(name).score or 0.0 for name in names]
            detail = f"{len(names)} labels, beta {min(scores):.3f} to {max(scores):.3f}"
            yield _row("rounds", trial, "SamDSK", measure, value, detail=detail)


def _student_of_round(trial: Trial, folder: Path, number: int) -> float | None:
    """Test Dice of the student of a round; None where the round went on with the last one's."""
    from safetensors.torch import load_file

    from sammed.datasets.pseudo.samdsk.rounds import CHECKPOINT_NAME
    from sammed.datasets.students.student import new_student
    from sammed.storage.tensor_file import tensors_below

    path = folder / CHECKPOINT_NAME.format(number)
    if not path.exists():
        return None
    student = new_student(trial.config, trial.drawn.truth.labels, trial.drawn.truth.window)
    student.network.load_state_dict(tensors_below(load_file(path), "network"))
    return trial.student_dice(student)


def _plain(trial: Trial, count: int) -> Iterator[Row]:
    """Each round's student labels all pictures for the next one."""
    from sammed.datasets.labeled_sets.pictures import open_case
    from sammed.datasets.pseudo.pseudo_label import PseudoLabel, nothing_found
    from sammed.datasets.students.inference import label_by_student

    labeled_set = trial.drawn.visible
    for number in range(count):
        student = trial.student(labeled_set)
        yield _row("rounds", trial, "plain", STUDENT, trial.student_dice(student), number)
        found = []
        for case in trial.drawn.wanted:
            opened = open_case(case, trial.drawn.visible)
            made = label_by_student(opened.volume, student, opened.slicing.axis)
            score = float(np.mean(list(made.scores.values()))) if made.scores else 0.0
            empty = nothing_found(case.name, "The student sees nothing in it.")
            found.append(PseudoLabel(case.name, made.labels, score) if made.scores else empty)
        written = trial.written(found, trial.workspace("plain"), "plain")
        yield _row("rounds", trial, "plain", LABELS, trial.label_dice(written), number, written.coverage)
        labeled_set = written.labeled_set
    yield _row("rounds", trial, "plain", STUDENT, trial.student_dice(trial.student(labeled_set)), count)


def cam(trial: Trial) -> Iterator[Row]:
    """Prompts from a ResNet's activation maps beside those from the truth, on test cases (tables 2 to 8)."""
    yield from _cam("cam", trial, CamConfig(layer="layer3", epochs=6))


def embedding_cam(trial: Trial) -> Iterator[Row]:
    """The same with a linear head on the backbone's embedding in the ResNet's place."""
    yield from _cam(EMBEDDING_CAM, trial, CamConfig(network="embedding"))


def _cam(experiment: str, trial: Trial, config: CamConfig) -> Iterator[Row]:
    truth, backbone = trial.drawn.truth, trial.laboratory.backbone
    try:
        readers = learn_readers(truth.part("train"), config, trial.seed, backbone, Silent())
    except AnnotationError as error:
        yield _row(experiment, trial, "no classifier", "recall", 0.0, detail=str(error))
        return
    for reader in readers:
        way, classifier = " or ".join(reader.task.names), reader.classifier
        yield _row(experiment, trial, way, "recall", classifier.mean_recall, detail=classifier.start)
    cases = truth.part("test").cases
    plus = [mapped_by(reader, "grad-cam++") for reader in readers]
    found = [
        *evaluate_prompts(cases, truth, readers, backbone, WAYS),
        *evaluate_prompts(cases, truth, plus, backbone, WAYS[:1]),
    ]
    for each in found:
        yield from _cam_rows(experiment, trial, each)


def _cam_rows(experiment: str, trial: Trial, each: PromptRow) -> Iterator[Row]:
    point = "" if each.prompts == "box" else f", {each.point}"
    way = f"{each.label}: {each.activation}, {each.prompts}{point}"
    detail = f"{each.pictures} pictures"
    for measure, ours, best in (
        ("Dice", each.from_map.dice, each.from_truth.dice),
        ("IoU", each.from_map.iou, each.from_truth.iou),
        ("pixels", each.from_map.pixel_accuracy, each.from_truth.pixel_accuracy),
    ):
        yield _row(experiment, trial, way, measure, ours, detail=detail)
        yield _row(experiment, trial, way, f"{measure} by truth", best, detail=detail)


def prompts(trial: Trial) -> Iterator[Row]:
    """SAM annotations for a UNet: kinds of prompts, drawn from the truth as a person would set them."""
    folder = trial.workspace("prompts")
    with contextlib.suppress(FileExistsError):
        (folder / "truth").mkdir()
    write_set(replace(trial.drawn.truth, folder=folder / "truth"), overwrite=True)
    for encoder in ("plain", "learned"):
        for style in PROMPT_STYLES:
            settings = {"truth": str(folder / "truth"), "style": style, "encoder": encoder}
            made = trial.label(trial.labeler("assist", settings, folder), folder)
            way = f"{style}, {encoder}"
            if encoder == "learned" or style == "box":  # the default backbone knows boxes alone
                yield from _labels_and_student("prompts", trial, way, made)
            else:
                yield _row("prompts", trial, way, LABELS, trial.label_dice(made), detail=made.coverage)


def _labels_and_student(experiment: str, trial: Trial, way: str, made: Made) -> Iterator[Row]:
    yield _row(experiment, trial, way, LABELS, trial.label_dice(made), detail=made.coverage)
    score = trial.student_dice(trial.student(made.labeled_set))
    yield _row(experiment, trial, way, STUDENT, score, len(made.names))


def _iou(dice: float) -> float:
    return dice / (2 - dice)


def _row(
    experiment: str, trial: Trial, way: str, measure: str, value: float, number: int = 0, detail: str = ""
) -> Row:
    return Row(experiment, trial.name, way, trial.seed, measure, round(float(value), 4), number, detail)


EXPERIMENTS: Mapping[str, Callable[[Trial], Iterator[Row]]] = {
    "base": base,
    "auto": auto,
    "coarse": coarse,
    "rounds": rounds,
    "cam": cam,
    EMBEDDING_CAM: embedding_cam,
    "prompts": prompts,
    "weak prompts": prompts_of_coarse,
}

# Where each experiment is made by default: what the papers had is named by the sets.
SETS: Mapping[str, tuple[str, ...]] = {
    "base": ("hippocampus", "ACDC", "BUSI", "X-ray", "polyps"),
    "auto": ("hippocampus", "ACDC", "BUSI", "X-ray", "polyps"),
    "coarse": ("hippocampus", "ACDC", "BUSI", "X-ray", "polyps"),
    "rounds": ("X-ray", "BUSI", "polyps"),
    "cam": ("ACDC",),
    EMBEDDING_CAM: ("ACDC",),
    "prompts": ("BUSI", "ACDC"),
    "weak prompts": ("BUSI", "X-ray", "polyps"),
}
