"""Targets: what was asked for before anything was measured, and what was measured."""

from collections.abc import Iterator

from bench.page import Cells
from bench.pseudo.experiments import ALL_SETS
from bench.pseudo.figures import CLASSIFIERS, Figure, Figures, cam_share, figure, gain, share

AUTO_SHARE = 0.95
COARSE_GAIN = 0.05
TOP_IOU = 0.9
CAM_SHARE = 0.6


def targets(figures: Figures) -> Iterator[Cells]:
    """Yield of each target the figure, the least, what was found, in how many runs, and the verdict."""
    for name in ("hippocampus", "ACDC"):
        found = share(figures.student("auto", name, "auto"), figures.supervised(name))
        yield _target(f"student on `auto` labels, share of the supervised one: {name}", AUTO_SHARE, found)
    for name in ALL_SETS:
        found = gain(figures.student("coarse", name, "box"), figures.gold(name))
        verdict = _verdict(found, COARSE_GAIN)
        what = f"Auto-Generate-WLs over gold alone: {name}"
        yield what, "+5 % on 3 of 5", found.percent, str(len(found.values)), verdict
    top = figure(figures.by_seed("rounds", "X-ray", "SamDSK", "IoU of the top tenth"))
    yield _target("SamDSK's labels, the tenth with the highest beta, IoU: X-ray", TOP_IOU, top)
    for experiment, name in CLASSIFIERS.items():
        what = f"prompts from maps of {name} (box), share of prompts from the truth: ACDC"
        yield _target(what, CAM_SHARE, cam_share(figures, experiment))


def _target(what: str, least: float, found: Figure) -> Cells:
    return what, f"{least:g}", found.text, str(len(found.values)), _verdict(found, least)


def _verdict(found: Figure, least: float) -> str:
    if not found.values:
        return "not measured"
    return "reached" if found.mean >= least else "missed"
