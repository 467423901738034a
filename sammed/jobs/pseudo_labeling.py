"""Pseudo-labeling: from a labeled set to one whose other cases a machine has labeled."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from sammed.datasets.labeled_sets.labeled_set import Case, LabeledSet
from sammed.datasets.labeled_sets.set_file import MANIFEST_NAME, read_set, write_set
from sammed.datasets.pseudo.filtering import Filter, apply_filter
from sammed.datasets.pseudo.methods import config_type, make_labeler, method
from sammed.datasets.settings import configure
from sammed.embeddings.config import EncodingConfig
from sammed.errors import ConfigError, SammedError, SetError
from sammed.jobs.set_making import moved
from sammed_volumes.errors import OutputError, VolumeError

if TYPE_CHECKING:
    from sammed.datasets.pseudo.pseudo_label import PseudoLabel
    from sammed.datasets.pseudo.pseudo_labeler import PseudoLabeler, Tools
    from sammed.progress import Reporter

Status: TypeAlias = Literal["labeled", "partly ignored", "dropped", "nothing", "failed"]

WORKSPACE = "work"
"""Folder in the output for what must outlive a kill; that it is there without a manifest means unfinished."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PseudoLabelingRequest:
    """Label the unlabeled training cases of a set, and the other slices of partly annotated ones.

    `settings` are those of the method's config as text, by name. What scores below `min_score` is dropped, or
    with `ignore_below` marked as ignored (see `Filter`). The new set goes to the folder `output`; images stay
    where they are.
    """

    labeled_set: Path
    method: str
    output: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    min_score: float = 0.0
    ignore_below: bool = False
    seed: int = 0
    encoding: EncodingConfig = EncodingConfig()
    overwrite: bool = False

    def __post_init__(self) -> None:
        method(self.method)
        Filter(self.min_score, self.ignore_below)
        if self.seed < 0:
            raise ConfigError(f"A seed is 0 or more, not {self.seed}.")
        if self.output.suffix:
            raise ConfigError(f"The new set goes into a folder; {self.output} looks like a file.")


@dataclass(frozen=True, slots=True, kw_only=True)
class PseudoLabelingItem:
    """What became of one case; `label_scores` are by name, `reason` says why labels are missing."""

    case: str
    status: Status
    score: float | None = None
    label_scores: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    reason: str | None = None

    def to_json(self) -> dict[str, object]:
        """The item under its names."""
        scores = {name: round(score, 4) for name, score in self.label_scores.items()}
        return {
            "case": self.case,
            "status": self.status,
            "score": None if self.score is None else round(self.score, 4),
            "label_scores": scores,
            "seconds": round(self.seconds, 3),
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class PseudoLabelingResult:
    """A set with pseudo-labels; `gold` counts the cases that were learned from."""

    output: Path
    method: str
    gold: int
    items: tuple[PseudoLabelingItem, ...]
    interrupted: bool = False

    def count(self, *statuses: Status) -> int:
        """How many cases came out so."""
        return sum(item.status in statuses for item in self.items)

    @property
    def is_good(self) -> bool:
        """Whether no case failed and at least one has got labels."""
        return self.count("failed") == 0 and self.count("labeled", "partly ignored") > 0

    def to_json(self) -> dict[str, object]:
        """The object that `sammed pseudo-label --json` prints."""
        return {
            "set": str(self.output / MANIFEST_NAME),
            "method": self.method,
            "gold": self.gold,
            "items": [item.to_json() for item in self.items],
        }


def pseudo_label(request: PseudoLabelingRequest, reporter: Reporter) -> PseudoLabelingResult:
    """Label case after case; a bad one is told and the others still done. Ctrl-C keeps what is done.

    Raises SetError for a set without gold (where the method needs some) or without anything to label,
    AnnotationError where the gold can't teach the method.
    """
    labeled_set = read_set(request.labeled_set)
    config = configure(config_type(request.method), request.settings)
    gold = labeled_set.part("train").keep(lambda case: case.is_gold)
    if not gold.cases and method(request.method).needs_gold:
        raise SetError(f"{request.labeled_set} has no gold training case, so {request.method} can't learn.")
    wanted = _wanted(labeled_set)
    with _folders(request):
        labeler = make_labeler(request.method, config, _tools(request))
        job = _Job(request, moved(labeled_set, request.output), labeler)
        items, interrupted = job.run(gold, wanted, reporter)
    return PseudoLabelingResult(
        output=request.output,
        method=request.method,
        gold=len(gold.cases),
        items=items,
        interrupted=interrupted,
    )


def _wanted(labeled_set: LabeledSet) -> tuple[Case, ...]:
    """The training cases that lack labels, as a whole or on some slices."""
    training = labeled_set.part("train").cases
    wanted = tuple(case for case in training if case.is_partial or not case.is_labeled)
    if not wanted:
        raise SetError(
            f"All {len(training)} training cases of the set in {labeled_set.folder} have labels already, so "
            "there is nothing to label."
        )
    return wanted


@contextmanager
def _folders(request: PseudoLabelingRequest) -> Iterator[None]:
    """The output's folders, gone again where the work fails; OutputError where something else is there."""
    from sammed.storage.outputs import folder_for_output

    output = request.output
    if output.exists() and not request.overwrite:
        if not output.is_dir() or (output / MANIFEST_NAME).exists():
            raise OutputError(
                f"{output} exists already; choose another place, or say that it may be overwritten "
                "(--overwrite)."
            )
        if any(output.iterdir()) and not (output / WORKSPACE).is_dir():
            raise OutputError(f"{output} holds other files; choose another place.")
    if (output / MANIFEST_NAME).exists() and read_set(output).folder == read_set(request.labeled_set).folder:
        raise ConfigError("The new set can't take the place of the old one; choose another folder.")
    with ExitStack() as stack:
        for folder in (output / WORKSPACE, output / "labels", output / "ignore"):
            stack.enter_context(folder_for_output(folder))
        yield


def _tools(request: PseudoLabelingRequest) -> Tools:
    from sammed.datasets.pseudo.pseudo_labeler import Tools

    return Tools(
        backbone=request.encoding.load_backbone,
        seed=request.seed,
        workspace=request.output / WORKSPACE,
        cache=request.encoding.open_cache(),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    request: PseudoLabelingRequest
    labeled_set: LabeledSet
    labeler: PseudoLabeler

    def run(
        self, gold: LabeledSet, wanted: Sequence[Case], reporter: Reporter
    ) -> tuple[tuple[PseudoLabelingItem, ...], bool]:
        """Label all and write the set; what became of each case, and whether Ctrl-C came."""
        items, made, interrupted = [], {}, False
        with reporter.task(f"pseudo-labels by {self.request.method}", len(wanted)) as task:
            try:
                for item, case in self.cases(self.labeler.label(gold, wanted, reporter)):
                    items.append(item)
                    made.update({} if case is None else {case.name: case})
                    task.advance()
            except KeyboardInterrupt:
                interrupted = True
        kept = [made.get(case.name, case) for case in self.labeled_set.cases]
        write_set(self.labeled_set.with_cases(kept), overwrite=self.request.overwrite)
        return tuple(items), interrupted

    def cases(self, found: Iterator[PseudoLabel]) -> Iterator[tuple[PseudoLabelingItem, Case | None]]:
        """What became of each case, and the case with its new labels, if it has got some."""
        started = time.perf_counter()
        for each in found:
            item, case = self._item(each)
            now = time.perf_counter()
            yield replace(item, seconds=now - started), case
            started = now

    def _item(self, found: PseudoLabel) -> tuple[PseudoLabelingItem, Case | None]:
        if found.labels is None:
            status: Status = "failed" if found.failed else "nothing"
            return PseudoLabelingItem(case=found.case, status=status, reason=found.reason), None
        names = {label.value: label.name for label in self.labeled_set.labels}
        item = PseudoLabelingItem(
            case=found.case,
            status="labeled",
            score=found.score,
            label_scores={names[value]: score for value, score in found.label_scores.items()},
        )
        judged = apply_filter(found, Filter(self.request.min_score, self.request.ignore_below))
        if judged.pseudo_label is None:
            return replace(item, status="dropped", reason=judged.reason), None
        try:
            case = self._written(judged.pseudo_label)
        except (SammedError, VolumeError, OSError) as error:
            return replace(item, status="failed", reason=str(error)), None
        if judged.verdict == "partly ignored":
            item = replace(item, status="partly ignored", reason=judged.reason)
        return item, case

    def _written(self, found: PseudoLabel) -> Case:
        """Write labels, provenance and ignored voxels; the case that has them."""
        from sammed.jobs.pseudo_files import write_pseudo_label

        case = self.labeled_set.case(found.case)
        labels, ignore = write_pseudo_label(
            found,
            case,
            self.labeled_set,
            self.request.output,
            self.labeler.name,
            self.request.encoding.backbone,
        )
        return replace(
            case,
            labels=labels,
            origin=self.labeler.name,
            score=found.score,
            label_scores=dict(found.label_scores),
            maker_digest=found.maker_digest or None,
            ignore=ignore,
        )
