"""The experiments of the papers, each on one set with one seed."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from bench.pseudo.maps import cam, embedding_cam
from bench.pseudo.rounds import rounds
from bench.pseudo.rows import EMBEDDING_CAM, GOLD, LABELS, STUDENT, TRUTH, Row
from bench.pseudo.trial import Made, Trial
from sammed.datasets.labeled_sets.set_file import write_set
from sammed.datasets.pseudo.assist_config import PROMPT_STYLES


def base(trial: Trial) -> Iterator[Row]:
    """The references: the student of all truth, and that of the gold alone."""
    for way, labeled_set in ((TRUTH, trial.shown.truth), (GOLD, trial.shown.visible)):
        score = trial.student_dice(trial.student(labeled_set))
        yield trial.row("base", way, STUDENT, score, detail=f"{trial.config.steps} steps")


def auto(trial: Trial) -> Iterator[Row]:
    """SAM^Med's labels, and the student that learns from them."""
    folder = trial.workspace("auto")
    made = trial.label(trial.labeler("auto", dict(trial.source.auto), folder), folder)
    yield from _labels_and_student("auto", trial, "auto", made)


def coarse(trial: Trial) -> Iterator[Row]:
    """Auto-Generate-WLs, tables 1 and 3: gold against gold and weak, by number of weak labels."""
    made = _weak_labels(trial, "box")
    yield trial.row("coarse", "box", LABELS, trial.label_dice(made), detail=made.coverage)
    wanted = [case.name for case in trial.shown.wanted]
    for number in trial.source.weak:
        some = made.only([name for name in wanted[:number] if name in made.names], trial.shown.visible)
        yield trial.row("coarse", "box", STUDENT, trial.student_dice(trial.student(some)), number)


def weak_prompts(trial: Trial) -> Iterator[Row]:
    """The other columns of Auto-Generate-WLs' table 1: points, and the backbone's own automatic masks."""
    for way in ("points", "automatic") if trial.has_one_label else ("points",):
        yield from _labels_and_student("weak prompts", trial, way, _weak_labels(trial, way))


def _weak_labels(trial: Trial, prompts: str) -> Made:
    folder = trial.workspace("coarse")  # shared, so that the coarse student is trained once
    return trial.label(trial.labeler("coarse", _coarse_settings(trial, prompts), folder), folder)


def _coarse_settings(trial: Trial, prompts: str) -> dict[str, str]:
    kept = {} if trial.has_one_label else {"most_of_one_class": "1"}  # an organ may be small in its slice
    # The optimizer too: the paper's SGD finds nothing in so few steps.
    shared = (
        "network",
        "size_px",
        "batch_size",
        "steps",
        "optimizer",
        "learning_rate",
        "least_learning_rate",
    )
    return {
        **kept,
        "prompts": prompts,
        "least_agreement": "0.7",  # where two masks agree less, one is wrong
        **{name: str(getattr(trial.config, name)) for name in shared},
    }


def prompts(trial: Trial) -> Iterator[Row]:
    """SAM annotations for a UNet: kinds of prompts, simulated from the truth."""
    folder = trial.workspace("prompts")
    truth = folder / "truth"
    truth.mkdir(exist_ok=True)
    write_set(replace(trial.shown.truth, folder=truth), overwrite=True)
    for encoder in ("plain", "learned"):
        for style in PROMPT_STYLES:
            settings = {"truth": str(truth), "style": style, "encoder": encoder}
            made = trial.label(trial.labeler("assist", settings, folder), folder)
            way = f"{style}, {encoder}"
            if encoder == "learned" or style == "box":  # the default backbone knows boxes alone
                yield from _labels_and_student("prompts", trial, way, made)
            else:
                yield trial.row("prompts", way, LABELS, trial.label_dice(made), detail=made.coverage)


def _labels_and_student(experiment: str, trial: Trial, way: str, made: Made) -> Iterator[Row]:
    yield trial.row(experiment, way, LABELS, trial.label_dice(made), detail=made.coverage)
    score = trial.student_dice(trial.student(made.labeled_set))
    yield trial.row(experiment, way, STUDENT, score, len(made.names))


EXPERIMENTS: Mapping[str, Callable[[Trial], Iterator[Row]]] = {
    "base": base,
    "auto": auto,
    "coarse": coarse,
    "rounds": rounds,
    "cam": cam,
    EMBEDDING_CAM: embedding_cam,
    "prompts": prompts,
    "weak prompts": weak_prompts,
}

ALL_SETS = ("hippocampus", "ACDC", "BUSI", "X-ray", "polyps")

# The sets of each experiment, those that are closest to the papers' own.
SETS: Mapping[str, tuple[str, ...]] = {
    "base": ALL_SETS,
    "auto": ALL_SETS,
    "coarse": ALL_SETS,
    "rounds": ("X-ray", "BUSI", "polyps"),
    "cam": ("ACDC",),
    EMBEDDING_CAM: ("ACDC",),
    "prompts": ("BUSI", "ACDC"),
    "weak prompts": ("BUSI", "X-ray", "polyps"),
}
