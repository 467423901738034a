"""The record of origins, `manifest.json`: where every image and label of a data set comes from.

Much of it is taken from the provenance beside each label volume (`sammed.storage.provenance`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sammed.datasets.labeled_sets.labeled_set import GOLD, Case
from sammed.errors import ExportError
from sammed.storage.json_file import write_json
from sammed.storage.provenance import Provenance, provenance_to_json
from sammed.version import __version__
from sammed_volumes.json_text import parse_json
from sammed_volumes.sidecar import RESAMPLING_METHOD

ORIGINS_NAME = "manifest.json"

_FORMAT, _VERSION = "sammed-dataset", 1


@dataclass(frozen=True, slots=True)
class CaseRecord:
    """One case of a data set; files are relative to the data set's folder.

    `values` are pairs (value in the label volume, value in the data set) of the labels; `ignored_slices`
    counts the slices, along the case's axis, that hold the ignore label. `modality` is "CT" where the values
    suggest it. `provenance` is what is stored next to the label volume. `resampled` is True if the labels
    were interpolated from another lattice.
    """

    name: str
    case: Case
    image_files: tuple[str, ...]
    image_sha256: str
    label_file: str | None
    label_sha256: str | None
    values: tuple[tuple[int, int], ...]
    axis: int | None
    ignored_slices: int
    modality: str | None
    provenance: Provenance | None = None
    resampled: bool = False

    @property
    def is_training(self) -> bool:
        """Whether the case has labels; a case without is a test case."""
        return self.label_file is not None


def write_origins(folder: Path, *, name: str, labels: dict[str, int], records: Sequence[CaseRecord]) -> None:
    """Write the record into a data set's folder; `labels` are all names and values, with the background."""
    data = {
        "format": _FORMAT,
        "version": _VERSION,
        "sammed_version": __version__,
        "name": name,
        "labels": labels,
        "cases": [_to_json(record) for record in records],
    }
    write_json(folder / ORIGINS_NAME, data)


def check_is_data_set(folder: Path) -> None:
    """Raise ExportError unless sammed wrote the data set in `folder`, so that it may be overwritten."""
    try:
        origins = parse_json((folder / ORIGINS_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        origins = None
    if not isinstance(origins, dict) or origins.get("format") != _FORMAT:
        raise ExportError(f"{folder} is not a data set written by sammed, so it is kept; remove it yourself.")


def _to_json(record: CaseRecord) -> dict[str, object]:
    case = record.case
    image = {"files": list(record.image_files), "source": str(case.image), "sha256": record.image_sha256}
    if not record.is_training:
        return {"case": record.name, "image": image, "label": None}
    slices, written = case.annotated_slices, record.provenance
    label = {
        "file": record.label_file,
        "source": str(case.labels),
        "sha256": record.label_sha256,
        "values": {str(source): target for source, target in record.values},
        "origin": GOLD if case.is_gold else "pseudo",
        "axis": record.axis,
        "annotated_slices": None if slices is None else list(slices),
        "ignored_slices": record.ignored_slices,
        **({"resampled": RESAMPLING_METHOD} if record.resampled else {}),
        "provenance": None if written is None else provenance_to_json(written),
    }
    return {"case": record.name, "image": image, "label": label}
