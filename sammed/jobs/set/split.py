"""`set split`: choose which cases train, validate and test, and hide labels."""

from dataclasses import dataclass
from pathlib import Path

from sammed.datasets.labeled_sets.hiding import keep_gold, keep_slices
from sammed.datasets.labeled_sets.set_file import read_set, write_set
from sammed.datasets.labeled_sets.splits import split_cases
from sammed.jobs.set.info import SetResult
from sammed.jobs.validation import check_replaced, check_seed
from sammed.progress import Reporter
from sammed.storage.outputs import make_folder


@dataclass(frozen=True, slots=True, kw_only=True)
class SetSplitRequest:
    """Split a set at random (see `split_cases`), and hide labels on request.

    `keep_gold` is the number of gold training cases that keep their labels, `keep_slices` the number of
    annotated slices that each gold training volume keeps. With `output` None the set itself is changed, which
    `overwrite` must allow.
    """

    labeled_set: Path
    test: int
    validation: int = 0
    seed: int = 0
    group: str | None = None
    keep_gold: int | None = None
    keep_slices: int | None = None
    output: Path | None = None
    overwrite: bool = False

    def __post_init__(self) -> None:
        check_replaced("set", self.output, self.labeled_set, self.overwrite)
        check_seed(self.seed)


def set_split(request: SetSplitRequest, reporter: Reporter) -> SetResult:
    """Split a set and write it."""
    labeled_set = split_cases(
        read_set(request.labeled_set),
        test=request.test,
        validation=request.validation,
        seed=request.seed,
        group=request.group,
    )
    if request.keep_gold is not None:
        labeled_set = keep_gold(labeled_set, request.keep_gold, seed=request.seed)
    if request.keep_slices is not None:
        labeled_set = keep_slices(labeled_set, request.keep_slices)
    if request.output is not None:
        make_folder(request.output)
        labeled_set = labeled_set.moved(request.output)
    write_set(labeled_set, overwrite=request.overwrite)
    return SetResult(labeled_set=labeled_set)
