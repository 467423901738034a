"""SamDSK against plain pseudo-labels, round by round (tables 1 to 3, figure 7)."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from safetensors.torch import load_file

from bench.pseudo.rows import LABELS, STUDENT, Row
from bench.pseudo.trial import Made, Trial
from sammed.datasets.labeled_sets.labeled_set import Case
from sammed.datasets.labeled_sets.pictures import open_case
from sammed.datasets.pseudo.pseudo_label import PseudoLabel, nothing_found
from sammed.datasets.pseudo.samdsk.pseudo_labeler import SamDskLabeler
from sammed.datasets.pseudo.samdsk.round import Round
from sammed.datasets.pseudo.samdsk.rounds import CHECKPOINT_NAME
from sammed.datasets.students.inference import label_by_student
from sammed.datasets.students.student import Student, new_student
from sammed.storage.tensor_file import tensors_below

SELECTED = 0.9  # the paper's threshold of beta
PLAIN_ROUNDS = 2
PROPOSALS = {"proposals.most_boxes": "50"}


def rounds(trial: Trial) -> Iterator[Row]:
    """SamDSK, then plain pseudo-labels."""
    yield from _samdsk(trial)
    yield from _plain(trial)


def _samdsk(trial: Trial) -> Iterator[Row]:
    folder = trial.workspace("samdsk")
    labeler = trial.labeler("samdsk", _settings(trial), folder)
    made = trial.label(labeler, folder)
    assert isinstance(labeler, SamDskLabeler)
    yield from _best(trial, made)
    yield from _history(trial, labeler.rounds, folder)
    yield from _end(trial, made)


def _settings(trial: Trial) -> dict[str, str]:
    own = trial.config
    shared = ("network", "size_px", "learning_rate", "batch_size", "steps")
    student = {f"student.{name}": str(getattr(own, name)) for name in shared}
    features = {"student.features": ",".join(map(str, own.features))}
    return {**student, **features, **PROPOSALS, "keep_rejected": "yes", "most_rounds": "4"}


def _best(trial: Trial, made: Made) -> Iterator[Row]:
    """IoU of the labels with the highest beta, a tenth of all, and of all labels."""
    count = max(1, round(0.1 * made.asked))
    ious = {name: _iou(trial.case_dice(made, name)) for name in made.names}
    for measure, names in (("IoU of the top tenth", made.names[:count]), ("IoU of all", made.names)):
        if names:
            value = float(np.mean([ious[name] for name in names]))
            scores = [made.labeled_set.case(name).score or 0.0 for name in names]
            detail = f"{len(names)} labels, beta {min(scores):.3f} to {max(scores):.3f}"
            yield trial.row("rounds", "SamDSK", measure, value, detail=detail)


def _history(trial: Trial, rounds: Sequence[Round], folder: Path) -> Iterator[Row]:
    """The mean beta, the number of training pictures and the student of each round."""
    added = 0
    for each in rounds:
        detail = f"{each.added} of {each.tried} added"
        if each.mean_score is not None:
            yield trial.row("rounds", "SamDSK", "beta", each.mean_score, each.number, detail)
        yield trial.row("rounds", "SamDSK", "trained on", each.trained_on, each.number, detail)
        student = _student_of_round(trial, folder, each.number)
        if student is not None:
            score = trial.student_dice(student)
            yield trial.row("rounds", "SamDSK", STUDENT, score, each.number - 1, f"{added} added before")
        added += each.added


def _student_of_round(trial: Trial, folder: Path, number: int) -> Student | None:
    """Return the student of a round; None where the round kept the previous one's."""
    path = folder / CHECKPOINT_NAME.format(number)
    if not path.exists():
        return None
    student = new_student(trial.config, trial.shown.truth.labels, trial.shown.truth.window)
    student.network.load_state_dict(tensors_below(load_file(path), "network"))
    return student


def _end(trial: Trial, made: Made) -> Iterator[Row]:
    """The student of the gold and the selected labels, and the Dice of these labels."""
    scores = {case.name: case.score or 0.0 for case in made.labeled_set.pseudo}
    selected = [name for name in made.names if scores[name] > SELECTED]
    student = trial.student(made.only(selected, trial.shown.visible))
    detail = f"{len(selected)} of {made.asked} selected"
    yield trial.row("rounds", "SamDSK, at the end", STUDENT, trial.student_dice(student), detail=detail)
    if selected:
        dice = float(np.mean([trial.case_dice(made, name) for name in selected]))
        yield trial.row("rounds", "SamDSK", LABELS, dice, detail=detail)


def _plain(trial: Trial) -> Iterator[Row]:
    """Each round's student labels all pictures for the next one."""
    labeled_set = trial.shown.visible
    for number in range(PLAIN_ROUNDS):
        student = trial.student(labeled_set)
        yield trial.row("rounds", "plain", STUDENT, trial.student_dice(student), number)
        found = [_labeled(trial, student, case) for case in trial.shown.wanted]
        made = trial.written(found, trial.workspace("plain"), "plain")
        yield trial.row("rounds", "plain", LABELS, trial.label_dice(made), number, made.coverage)
        labeled_set = made.labeled_set
    score = trial.student_dice(trial.student(labeled_set))
    yield trial.row("rounds", "plain", STUDENT, score, PLAIN_ROUNDS)


def _labeled(trial: Trial, student: Student, case: Case) -> PseudoLabel:
    opened = open_case(case, trial.shown.visible)
    made = label_by_student(opened.volume, student, opened.slicing.axis)
    if not made.scores:
        return nothing_found(case.name, "The student sees nothing in it.")
    return PseudoLabel(case.name, made.labels, float(np.mean(list(made.scores.values()))))


def _iou(dice: float) -> float:
    return dice / (2 - dice)
