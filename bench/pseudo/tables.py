"""The page of what `pseudo.py` measured: tables in the form of the papers."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from pseudo_figures import (
    CLASSIFIERS,
    SETS,
    Figures,
    cam_share,
    figure,
    gain,
    label_dice,
    share,
    targets,
)
from pseudo_rows import read_rows
from pseudo_trials import EXPERIMENTS, LABELS, STUDENT
from pseudo_trials import SETS as MADE_ON

Cells = Sequence[str]

HEADER = """# Pseudo-labels and students

Written by `python bench/pseudo.py`. Mean ± standard deviation over seeds (a seed draws the split, the gold
and the student's weights); a single figure is one run. Dice of a student is the mean over labels and test
cases, none of which was gold or pseudo-labeled; Dice of labels that over the cases that a method was asked
to label, without the person's slices and without ignored voxels. Within a set all students are the same small
UNet with the same number of steps, whatever they learn from.

| set | gold | to be labeled | tested on | student |
|---|---|---|---|---|
| hippocampus (MSD) | 25 slices, 5 in each of 5 volumes | their other slices, and 10 volumes | 20 volumes | \
64 x 64, 200 steps of 8 |
| ACDC | 2 slices of each of 6 patients | their other slices, and end-systole | 2 patients, 4 volumes | \
128 x 128, 250 steps of 4 |
| BUSI (ultrasound) | 10 pictures | 10 | 5 | 80 x 80, 200 steps of 4 |
| X-ray (chest) | 10 pictures | 10 | 5 | as BUSI |
| polyps (CVC-612) | 10 pictures | 5 (there are 20) | 5 | as BUSI |
"""

LIMITS = """## What this can't say

- **Underpowered**: five test pictures, or two patients, a seed. A difference below about 0.03 on a 2-D set is
  noise, as the spread over seeds shows; so is every figure of one run.
- The polyps are frames of one video, so that test frames look like gold ones. On X-ray ten gold pictures
  leave little to gain.
- A tenth of ten unlabeled pictures is one picture: the IoU of SamDSK's best labels is of one picture a seed.
  The students of a few steps are seldom sure enough for a beta above 0.9, and then nothing is selected.
- In ACDC few slices are without the heart: the classifier behind the activation maps sees few of
  them. The ResNet is trained from scratch, for no file of weights was at hand; the embedding is the
  backbone's own (`network=embedding`). A label that a classifier can't tell has no row in that seed. A box
  round the myocardium yields the ventricle inside it, as the truth's own box shows.
- Students and pictures are small and steps few, to end in minutes on one core. No row is of the papers'
  UNet++ of 256 x 256 and 100 epochs; the coarse student of Auto-Generate-WLs learns by
  Adam, as the others do, for SGD gets nowhere in so few steps. Slices in which coarse and weak mask of a
  label agree to a Dice below 0.7 are dropped (`least_agreement=0.7`), on ACDC those with a myocardium.
- On hippocampus `auto` labels the gold volumes' other slices by a skill of each volume's own, and the ten
  others by one of all gold slices, with positions (`positions=yes`), since all are crops of one organ. Its
  labels are no better there than what a student of the gold alone makes of new volumes, so they teach it
  little, and their scores don't tell the few that went wrong from the others. None of the gold slices
  there is empty, so that nothing teaches where the organ ends: all students, the gold's too, label beyond it.
- On ACDC `auto` labels the gold volumes' other slices by a skill of each volume's own two, and the volumes at
  end-systole by one of all gold slices.
- The backbone is LiteMedSAM, which knows boxes alone: with its own prompt encoder points mean nothing to it.
"""


def write_tables(folder: Path) -> None:
    """pseudo.md and pseudo.json from pseudo.jsonl."""
    rows = read_rows(folder)
    figures = Figures(rows)
    text = json.dumps([asdict(row) for row in rows], indent=1) + "\n"
    (folder / "pseudo.json").write_text(text, encoding="utf-8")
    parts = [
        HEADER,
        _section("What was asked for", _REACH, _reach(figures)),
        _section("Students, and their share of the supervised one", _STUDENTS, _students(figures)),
        _section("Auto-Generate-WLs: gold against gold and weak (its tables 1 and 3)", _WEAK, _weak(figures)),
        _section(
            "Kinds of prompts, drawn from the truth (SAM annotations for a UNet)", _KINDS, _kinds(figures)
        ),
        _section("SamDSK against plain pseudo-labels, by round (its figure 7)", _ROUNDS, _rounds(figures)),
        _section("SamDSK's labels", _CHOSEN, _chosen(figures)),
        _section("Prompts from activation maps, ACDC (its tables 2 to 8)", _CAM, _cam(figures)),
        _section("Classifiers behind the maps, on training cases held out", _RECALL, _recall(figures)),
        LIMITS,
        _missing(figures),
    ]
    (folder / "pseudo.md").write_text("\n".join(parts), encoding="utf-8")


_REACH = ("figure", "asked for", "measured", "seeds", "")
_STUDENTS = ("set", "learns from", "Dice of the labels", "student's Dice", "share of the supervised", "seeds")
_WEAK = ("set", "gold alone", "weak labels added", "student's Dice", "over gold alone", "seeds")
_KINDS = (
    "set",
    "prompt, encoder",
    "Dice of the labels",
    "student's Dice",
    "share of the supervised",
    "seeds",
)
_ROUNDS = ("set", "way", "round", "student's Dice", "mean beta", "pictures it learned from", "seeds")
_CHOSEN = ("set", "what", "value", "of", "seeds")
_CAM = (
    *("classifier", "label, map, prompt"),
    *("Dice", "of truth's", "IoU", "of truth's", "pixels", "of truth's", "seeds"),
)
_RECALL = ("classes", "mean recall", "", "seeds")


def _section(title: str, headers: Cells, rows: Iterable[Cells]) -> str:
    lines = [f"## {title}", "", f"| {' | '.join(headers)} |", "|" + "---|" * len(headers)]
    found = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([*lines, *(found or ["|" + " not measured |" * len(headers)]), ""])


def _reach(figures: Figures) -> Iterator[Cells]:
    for target in targets(figures):
        verdict = {True: "reached", False: "missed", None: "not measured"}[target.reached]
        yield target.what, target.least, target.found, str(target.runs), verdict


def _students(figures: Figures) -> Iterator[Cells]:
    """All ways that a student was taught, set by set."""
    for name in SETS:
        best = figures.supervised(name)
        for way, experiment in _TAUGHT:
            ways = figures.ways(experiment, name)
            for each in (one for one in ways if way is None or one == way):
                student = figures.student(experiment, name, each)
                if student:
                    made = label_dice(figures, experiment, name, each).text
                    what = _NAMES.get((experiment, each), f"{experiment}: {each}")
                    yield (
                        *(name, what, made, figure(student).text, share(student, best).text),
                        str(len(student)),
                    )


_TAUGHT = (
    ("the truth", "base"),
    ("gold alone", "base"),
    ("auto", "auto"),
    ("box", "coarse"),
    (None, "weak prompts"),
    ("plain", "rounds"),
    ("SamDSK, at the end", "rounds"),
    ("box, plain", "prompts"),
    ("box, learned", "prompts"),
)
_NAMES = {
    ("base", "the truth"): "all truth (supervised)",
    ("base", "gold alone"): "gold alone",
    ("auto", "auto"): "gold and `auto` (SAM^Med)",
    ("coarse", "box"): "gold and `coarse`, boxes",
    ("weak prompts", "points"): "gold and `coarse`, points",
    ("weak prompts", "automatic"): "gold and `coarse`, automatic",
    ("rounds", "plain"): "gold and plain pseudo-labels",
    ("rounds", "SamDSK, at the end"): "gold and `samdsk`",
    ("prompts", "box, plain"): "gold and `assist`, simulated boxes",
    ("prompts", "box, learned"): "gold and `assist`, simulated boxes, learned encoder",
}


def _weak(figures: Figures) -> Iterator[Cells]:
    for name in SETS:
        gold = figures.gold(name)
        for number in figures.numbers("coarse", name, "box", STUDENT):
            student = figures.by_seed("coarse", name, "box", STUDENT, number)
            change = gain(student, gold)
            cells = (figure(student).text, change.percent, str(len(student)))
            yield name, figure(gold).text, f"{number}, by boxes", *cells
        for way in figures.ways("weak prompts", name):
            student = figures.student("weak prompts", name, way)
            change = gain(student, gold)
            cells = (figure(student).text, change.percent, str(len(student)))
            yield name, figure(gold).text, f"all, {_SAID.get(way, way)}", *cells


_SAID = {"points": "by points", "automatic": "automatic"}


def _kinds(figures: Figures) -> Iterator[Cells]:
    for name in SETS:
        for way in figures.ways("prompts", name):
            labels = figures.by_seed("prompts", name, way, LABELS)
            student = figures.student("prompts", name, way)
            part = share(student, figures.supervised(name))
            yield name, way, figure(labels).text, figure(student).text, part.text, str(len(labels))


def _rounds(figures: Figures) -> Iterator[Cells]:
    """Round 0 is the gold alone. A SamDSK round that added nothing goes on with the same student."""
    for name in SETS:
        for way in ("SamDSK", "plain"):
            students = figures.numbers("rounds", name, way, STUDENT)
            matched = [number - 1 for number in figures.numbers("rounds", name, way, "trained on")]
            for number in sorted({*students, *matched}):
                yield name, way, str(number), *_round_cells(figures, name, way, number)
        end = figures.student("rounds", name, "SamDSK, at the end")
        if end:
            detail = figures.details("rounds", name, "SamDSK, at the end", STUDENT)
            yield name, "SamDSK", "end", figure(end).text, "-", detail, str(len(end))


def _round_cells(figures: Figures, name: str, way: str, number: int) -> Cells:
    student = figures.by_seed("rounds", name, way, STUDENT, number)
    beta = figure(figures.by_seed("rounds", name, way, "beta", number + 1))
    count = figures.by_seed("rounds", name, way, "trained on", number + 1)
    trained = f"{figure(count).mean:.1f}" if count else "-"
    return figure(student).text, beta.text, trained, str(max(len(student), len(count)))


def _chosen(figures: Figures) -> Iterator[Cells]:
    for name in SETS:
        for measure, what in (
            ("IoU of the top tenth", "IoU, the tenth with the highest beta"),
            ("IoU of all", "IoU of all that was matched"),
            (LABELS, "Dice of what was selected"),
        ):
            found = figures.by_seed("rounds", name, "SamDSK", measure)
            if found:
                detail = figures.details("rounds", name, "SamDSK", measure)
                yield name, what, figure(found).text, detail, str(len(found))


def _cam(figures: Figures) -> Iterator[Cells]:
    for experiment, name in CLASSIFIERS.items():
        for way in figures.ways(experiment, "ACDC"):
            if figures.by_seed(experiment, "ACDC", way, "Dice"):
                yield name, way, *_cam_cells(figures, experiment, way)
        found = cam_share(figures, experiment)
        if found.values:
            shares = (cam_share(figures, experiment, measure).text for measure in _MEASURES)
            cells = [cell for part in shares for cell in ("", part)]
            yield name, "all labels: grad-cam, box", *cells, str(len(found.values))


_MEASURES = ("Dice", "IoU", "pixels")


def _cam_cells(figures: Figures, experiment: str, way: str) -> Iterator[str]:
    seeds = 0
    for measure in _MEASURES:
        ours = figures.by_seed(experiment, "ACDC", way, measure)
        best = figures.by_seed(experiment, "ACDC", way, f"{measure} by truth")
        seeds = len(ours)
        yield figure(ours).text
        yield share(ours, best).text
    yield str(seeds)


def _recall(figures: Figures) -> Iterator[Cells]:
    for experiment in CLASSIFIERS:
        for way in figures.ways(experiment, "ACDC"):
            found = figures.by_seed(experiment, "ACDC", way, "recall")
            if found:
                detail = figures.details(experiment, "ACDC", way, "recall")
                yield way, figure(found).text, detail, str(len(found))


def _missing(figures: Figures) -> str:
    """What of the plan has fewer seeds than three."""
    lines = ["## What is missing", "", "Of three seeds each:", ""]
    for experiment in EXPERIMENTS:
        for name in MADE_ON[experiment]:
            seeds = {row.seed for row in figures.rows if (row.experiment, row.set) == (experiment, name)}
            if len(seeds) < 3:
                lines.append(f"- {experiment}, {name}: {len(seeds) or 'none'} measured")
    return "\n".join(lines if len(lines) > 4 else [*lines[:2], "Nothing."]) + "\n"
