"""The tables of pseudo.md, in the form of the papers."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from bench.page import Cells, table, write_page
from bench.pseudo.experiments import ALL_SETS, SETS
from bench.pseudo.figures import CLASSIFIERS, Figure, Figures, cam_share, figure, gain, share
from bench.pseudo.rows import LABELS, STUDENT, latest_rows
from bench.pseudo.targets import targets

SEEDS = 3  # of each experiment


def write_tables(folder: Path) -> None:
    """Write the tables of pseudo.md from pseudo.csv."""
    figures = Figures(latest_rows(folder))
    lines = [line for section in _sections(figures) for line in section]
    write_page(folder / "pseudo.md", "Pseudo-labels and students", "python -m bench.pseudo", lines)


def _sections(figures: Figures) -> Iterator[list[str]]:
    yield _section("What was asked for", _TARGETS, targets(figures))
    yield _section("Students, and their share of the supervised one", _STUDENTS, _students(figures))
    title = "Auto-Generate-WLs: gold against gold and weak (its tables 1 and 3)"
    yield _section(title, _WEAK, _weak(figures))
    title = "Kinds of prompts, simulated from the truth (SAM annotations for a UNet)"
    yield _section(title, _KINDS, _kinds(figures))
    title = "SamDSK against plain pseudo-labels, by round (its figure 7)"
    yield _section(title, _ROUNDS, _rounds(figures))
    yield _section("SamDSK's labels", _CHOSEN, _chosen(figures))
    yield _section("Prompts from activation maps, ACDC (its tables 2 to 8)", _CAM, _cam(figures))
    yield _section("Classifiers behind the maps, on held-out training cases", _RECALL, _recall(figures))
    yield ["## What is missing", "", *_missing(figures)]


def _section(title: str, headers: Cells, rows: Iterable[Cells]) -> list[str]:
    found = list(rows) or [("not measured",) * len(headers)]
    return [f"## {title}", "", *table(headers, found), ""]


_TARGETS = ("figure", "asked for", "measured", "seeds", "")


_STUDENTS = ("set", "learns from", "Dice of the labels", "student's Dice", "share of the supervised", "seeds")
_TAUGHT = (
    ("base", "the truth", "all truth (supervised)"),
    ("base", "gold alone", "gold alone"),
    ("auto", "auto", "gold and `auto` (SAM^Med)"),
    ("coarse", "box", "gold and `coarse`, boxes"),
    ("weak prompts", "points", "gold and `coarse`, points"),
    ("weak prompts", "automatic", "gold and `coarse`, automatic"),
    ("rounds", "plain", "gold and plain pseudo-labels"),
    ("rounds", "SamDSK, at the end", "gold and `samdsk`"),
    ("prompts", "box, plain", "gold and `assist`, simulated boxes"),
    ("prompts", "box, learned", "gold and `assist`, simulated boxes, learned encoder"),
)


def _students(figures: Figures) -> Iterator[Cells]:
    for name in ALL_SETS:
        for experiment, way, what in _TAUGHT:
            student = figures.student(experiment, name, way)
            if student:
                made = figure(figures.labels(experiment, name, way)).text
                part = share(student, figures.supervised(name)).text
                yield name, what, made, figure(student).text, part, str(len(student))


_WEAK = ("set", "gold alone", "weak labels added", "student's Dice", "over gold alone", "seeds")
_ADDED = {"points": "all, by points", "automatic": "all, automatic"}


def _weak(figures: Figures) -> Iterator[Cells]:
    for name in ALL_SETS:
        gold = figures.gold(name)
        added = {
            f"{number}, by boxes": figures.by_seed("coarse", name, "box", STUDENT, number)
            for number in figures.numbers("coarse", name, "box", STUDENT)
        }
        for way in figures.ways("weak prompts", name):
            added[_ADDED[way]] = figures.student("weak prompts", name, way)
        for what, student in added.items():
            change = gain(student, gold).percent
            yield name, figure(gold).text, what, figure(student).text, change, str(len(student))


_KINDS = (
    *("set", "prompt, encoder", "Dice of the labels"),
    *("student's Dice", "share of the supervised", "seeds"),
)


def _kinds(figures: Figures) -> Iterator[Cells]:
    for name in ALL_SETS:
        for way in figures.ways("prompts", name):
            labels = figures.labels("prompts", name, way)
            student = figures.student("prompts", name, way)
            part = share(student, figures.supervised(name))
            yield name, way, figure(labels).text, figure(student).text, part.text, str(len(labels))


_ROUNDS = ("set", "way", "round", "student's Dice", "mean beta", "training pictures", "seeds")


def _rounds(figures: Figures) -> Iterator[Cells]:
    """Round 0 is the gold alone. A SamDSK round that adds nothing keeps the student."""
    for name in ALL_SETS:
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


_CHOSEN = ("set", "what", "value", "of", "seeds")
_CHOSEN_ROWS = (
    ("IoU of the top tenth", "IoU, the tenth with the highest beta"),
    ("IoU of all", "IoU of all that was matched"),
    (LABELS, "Dice of what was selected"),
)


def _chosen(figures: Figures) -> Iterator[Cells]:
    for name in ALL_SETS:
        for measure, what in _CHOSEN_ROWS:
            found = figures.by_seed("rounds", name, "SamDSK", measure)
            if found:
                detail = figures.details("rounds", name, "SamDSK", measure)
                yield name, what, figure(found).text, detail, str(len(found))


_CAM = (
    *("classifier", "label, map, prompt"),
    *("Dice", "of truth's", "IoU", "of truth's", "pixels", "of truth's", "seeds"),
)
_MEASURES = ("Dice", "IoU", "pixels")


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


def _cam_cells(figures: Figures, experiment: str, way: str) -> Iterator[str]:
    found = Figure(())
    for measure in _MEASURES:
        ours = figures.by_seed(experiment, "ACDC", way, measure)
        best = figures.by_seed(experiment, "ACDC", way, f"{measure} by truth")
        found = figure(ours)
        yield found.text
        yield share(ours, best).text
    yield str(len(found.values))


_RECALL = ("classes", "mean recall", "", "seeds")


def _recall(figures: Figures) -> Iterator[Cells]:
    for experiment in CLASSIFIERS:
        for way in figures.ways(experiment, "ACDC"):
            found = figures.by_seed(experiment, "ACDC", way, "recall")
            if found:
                detail = figures.details(experiment, "ACDC", way, "recall")
                yield way, figure(found).text, detail, str(len(found))


def _missing(figures: Figures) -> Iterator[str]:
    """The experiments that were run with fewer seeds than planned."""
    planned = [(experiment, name) for experiment, names in SETS.items() for name in names]
    seeds = {key: {row.seed for row in figures.rows if (row.experiment, row.set) == key} for key in planned}
    few = {key: len(found) for key, found in seeds.items() if len(found) < SEEDS}
    yield from ("Of three seeds each:", "") if few else ("Nothing.",)
    for (experiment, name), count in few.items():
        yield f"- {experiment}, {name}: {count or 'none'} measured"
