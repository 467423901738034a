"""Interpolation: labels of the annotated volume without learning, between and beyond the annotated slices."""

import time
from collections.abc import Iterator
from typing import get_args

from bench.accuracy.rows import Row
from bench.accuracy.trials import Trial
from sammed.interpolation.interpolation import interpolate_scan
from sammed.interpolation.stack import Method
from sammed.progress import Silent

TABLE = "interpolation"


def interpolation(trial: Trial) -> Iterator[Row]:
    """Yield the Dice of each method, on all slices that were not annotated and on both kinds of them."""
    for method in get_args(Method):
        started = time.process_time()
        found = interpolate_scan(trial.scan, trial.annotations, method, Silent()).stack
        seconds = time.process_time() - started
        details = dict.fromkeys(
            (label.value for label in trial.annotations.labels), f"{seconds:.1f} CPU seconds for all labels"
        )
        yield from trial.scores(TABLE, method, found, details)
        yield from trial.scores_between_and_beyond(TABLE, method, found)
