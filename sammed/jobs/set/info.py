"""`set info`: what a labeled set contains. Does not import torch."""

from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

from sammed.datasets.labeled_sets.gathered import Problem
from sammed.datasets.labeled_sets.labeled_set import SPLITS, LabeledSet
from sammed.datasets.labeled_sets.set_file import SET_FILE_NAME, read_set
from sammed.progress import Reporter


@dataclass(frozen=True, slots=True, kw_only=True)
class SetInfoRequest:
    """Describe the set with this folder or manifest."""

    labeled_set: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class SetResult:
    """A set; `problems` are the cases that are not in it because something is wrong with them."""

    labeled_set: LabeledSet
    problems: tuple[Problem, ...] = ()

    def counts(self) -> dict[str, dict[str, int]]:
        """Return the number of cases by split and origin; partly annotated ones count as "partly gold"."""
        parts = {split: self.labeled_set.part(split).cases for split in SPLITS}
        return {
            split: dict(Counter("partly gold" if case.is_partial else case.origin for case in cases))
            for split, cases in parts.items()
        }

    def to_json(self) -> dict[str, object]:
        """Return the object that `sammed set make|split|info --json` prints."""
        return {
            "set": str(self.labeled_set.folder / SET_FILE_NAME),
            "labels": {str(label.value): label.name for label in self.labeled_set.labels},
            "cases": self.counts(),
            "problems": [asdict(problem) for problem in self.problems],
        }


def set_info(request: SetInfoRequest, reporter: Reporter) -> SetResult:
    """Read the manifest; no image is opened. Raises SetError if it can't be used."""
    return SetResult(labeled_set=read_set(request.labeled_set))
