"""`pseudo-label`: label the other cases of a labeled set with one of five methods."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal, TypeAlias

from sammed.datasets.labeled_sets.labeled_set import Case, LabeledSet
from sammed.datasets.labeled_sets.set_file import SET_FILE_NAME, read_set, write_set
from sammed.datasets.pseudo.filtering import Filter, apply_filter
from sammed.datasets.pseudo.methods import config_type, make_labeler, method
from sammed.datasets.pseudo.pseudo_label import PseudoLabel
from sammed.datasets.pseudo.pseudo_labeler import PseudoLabeler, Tools
from sammed.datasets.settings import configure
from sammed.embeddings.config import EncodingConfig
from sammed.errors import ConfigError, SammedError, SetError
from sammed.jobs.pseudo_label_files import write_pseudo_label
from sammed.jobs.validation import check_folder, check_seed
from sammed.progress import Reporter
from sammed.storage.outputs import folder_for_output
from sammed_volumes.errors import OutputError, VolumeError

Status: TypeAlias = Literal["labeled", "partly ignored", "dropped", "nothing", "failed"]

WORKSPACE = "work"
"""Folder in the output for files that must survive a kill; without a manifest, the work is unfinished."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PseudoLabelRequest:
    """Label the unlabeled training cases of a set, and the other slices of partly annotated ones.

    `settings` are fields of the method's config as text, by name. Labels that score below `min_score` are
    dropped, or with `ignore_below` marked as ignored (see `Filter`). The new set goes to the folder `output`;
    images are not copied.
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
        check_seed(self.seed)
        check_folder(self.output)


@dataclass(frozen=True, slots=True, kw_only=True)
class PseudoLabelItem:
    """The outcome of one case; `label_scores` are by name, `reason` explains missing labels."""

    case: str
    status: Status
    score: float | None = None
    label_scores: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    reason: str | None = None

    def to_json(self) -> dict[str, object]:
        """Return the fields under their names."""
        return {
            **asdict(self),
            "score": None if self.score is None else round(self.score, 4),
            "label_scores": {name: round(score, 4) for name, score in self.label_scores.items()},
            "seconds": round(self.seconds, 3),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class PseudoLabelResult:
    """A set with pseudo-labels; `gold` is the number of cases to learn from, `interrupted` means Ctrl-C."""

    output: Path
    method: str
    gold: int
    items: tuple[PseudoLabelItem, ...]
    interrupted: bool = False

    def count(self, *statuses: Status) -> int:
        """Return the number of cases with these statuses."""
        return sum(item.status in statuses for item in self.items)

    @property
    def is_good(self) -> bool:
        """Whether no case failed and at least one has labels."""
        return self.count("failed") == 0 and self.count("labeled", "partly ignored") > 0

    def to_json(self) -> dict[str, object]:
        """Return the object that `sammed pseudo-label --json` prints."""
        return {
            "set": str(self.output / SET_FILE_NAME),
            "method": self.method,
            "gold": self.gold,
            "items": [item.to_json() for item in self.items],
        }


def pseudo_label(request: PseudoLabelRequest, reporter: Reporter) -> PseudoLabelResult:
    """Label case after case; the result reports failed cases. Ctrl-C keeps the finished ones.

    Raises SetError for a set without gold (if the method needs some) or with nothing to label,
    AnnotationError if the gold can't teach the method.
    """
    labeled_set = read_set(request.labeled_set)
    config = configure(config_type(request.method), request.settings)
    gold = labeled_set.part("train").keep(lambda case: case.is_gold)
    if not gold.cases and method(request.method).needs_gold:
        raise SetError(f"{request.labeled_set} has no gold training case, so {request.method} can't learn.")
    wanted = _wanted(labeled_set)
    with _folders(request):
        encoding, workspace = request.encoding, request.output / WORKSPACE
        tools = Tools(encoding.load_backbone, request.seed, workspace, encoding.open_cache())
        labeler = make_labeler(request.method, config, tools)
        job = _Job(request, labeled_set.moved(request.output), labeler)
        items, interrupted = job.run(gold, wanted, reporter)
    return PseudoLabelResult(
        output=request.output,
        method=request.method,
        gold=len(gold.cases),
        items=items,
        interrupted=interrupted,
    )


def _wanted(labeled_set: LabeledSet) -> tuple[Case, ...]:
    """Return the training cases that lack labels, entirely or on some slices."""
    training = labeled_set.part("train").cases
    wanted = tuple(case for case in training if case.is_partial or not case.is_labeled)
    if not wanted:
        raise SetError(
            f"All {len(training)} training cases of the set in {labeled_set.folder} have labels already; "
            "there is nothing to label."
        )
    return wanted


@contextmanager
def _folders(request: PseudoLabelRequest) -> Iterator[None]:
    """Make the output's folders, and remove empty ones if the work fails.

    Raises OutputError if other files are there.
    """
    output = request.output
    if output.exists() and not request.overwrite:
        if not output.is_dir() or (output / SET_FILE_NAME).exists():
            raise OutputError(
                f"{output} already exists; choose another folder or allow overwriting (--overwrite)."
            )
        if any(output.iterdir()) and not (output / WORKSPACE).is_dir():
            raise OutputError(f"{output} holds other files; choose another folder.")
    if (output / SET_FILE_NAME).exists() and read_set(output).folder == read_set(request.labeled_set).folder:
        raise ConfigError("The new set can't replace the old one; choose another folder.")
    with ExitStack() as stack:
        for folder in (output / WORKSPACE, output / "labels", output / "ignore"):
            stack.enter_context(folder_for_output(folder))
        yield


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    request: PseudoLabelRequest
    labeled_set: LabeledSet
    labeler: PseudoLabeler

    def run(
        self, gold: LabeledSet, wanted: Sequence[Case], reporter: Reporter
    ) -> tuple[tuple[PseudoLabelItem, ...], bool]:
        """Label all and write the set; return the outcome of each case, and whether Ctrl-C was pressed."""
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

    def cases(self, found: Iterator[PseudoLabel]) -> Iterator[tuple[PseudoLabelItem, Case | None]]:
        """Yield the outcome of each case, and the case with its new labels, if it has any."""
        started = time.perf_counter()
        for each in found:
            item, case = self._item(each)
            now = time.perf_counter()
            yield replace(item, seconds=now - started), case
            started = now

    def _item(self, found: PseudoLabel) -> tuple[PseudoLabelItem, Case | None]:
        if found.labels is None:
            status: Status = "failed" if found.failed else "nothing"
            return PseudoLabelItem(case=found.case, status=status, reason=found.reason), None
        names = {label.value: label.name for label in self.labeled_set.labels}
        item = PseudoLabelItem(
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
        """Write labels, provenance and ignored voxels; return the case with them."""
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
