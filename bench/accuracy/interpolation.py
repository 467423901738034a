"""Interpolation: labels of the annotated volume without learning, between and beyond the annotated slices."""

import time
from collections.abc import Iterator
from typing import get_args

import numpy as np
from jaxtyping import Int64, UInt

from bench.accuracy.rows import Row
from bench.accuracy.trials import Trial
from sammed.interpolation.interpolation import interpolate_scan
from sammed.interpolation.stack import Method
from sammed.metrics.evaluation import dice
from sammed.progress import Silent
from sammed_volumes.labels import Label

TABLE = "interpolation"


def interpolation(trial: Trial) -> Iterator[Row]:
    """Yield the Dice of each method, on all slices that were not annotated and on both kinds of them."""
    for method in get_args(Method):
        started = time.process_time()
        found = interpolate_scan(trial.scan, trial.annotations, method, Silent()).stack
        seconds = time.process_time() - started
        for label in trial.annotations.labels:
            between, beyond = _split(trial, label)
            detail = f"{seconds:.1f} CPU seconds for all labels"
            yield trial.row(TABLE, label, method, _dice(trial, found, label, trial.others), detail)
            yield trial.row(TABLE, label, f"{method}, between", _dice(trial, found, label, between))
            if (trial.truth[beyond] == label.value).any():
                yield trial.row(TABLE, label, f"{method}, beyond", _dice(trial, found, label, beyond))


def _split(trial: Trial, label: Label) -> tuple[Int64[np.ndarray, " b"], Int64[np.ndarray, " o"]]:
    """Slices between the annotated ones that show a label, and those beyond them."""
    rows = trial.annotations.showing(label)
    first, last = trial.annotations.indices[rows[0]], trial.annotations.indices[rows[-1]]
    is_between = (trial.others > first) & (trial.others < last)
    return trial.others[is_between], trial.others[~is_between]


def _dice(
    trial: Trial, found: UInt[np.ndarray, "S H W"], label: Label, slices: Int64[np.ndarray, " n"]
) -> float:
    return float(dice(found[slices] == label.value, trial.truth[slices] == label.value))
