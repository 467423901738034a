"""Provenance: a small JSON file beside a label volume that states where its labels come from.

`scan_label.nii.gz` has `scan_label.provenance.json`. `auto-label` and `assist-label` write it, `export`
reads it.
"""

from __future__ import annotations

import glob
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from sammed.errors import ConfigError, ExportError
from sammed.storage.json_file import write_json
from sammed.version import __version__
from sammed_volumes.atomic_file import atomic_file, check_free
from sammed_volumes.dicom.codes import NamedCode
from sammed_volumes.dicom.details import Algorithm, LabelDetails
from sammed_volumes.errors import OutputError
from sammed_volumes.formats import label_suffix_of, strip_suffix
from sammed_volumes.json_text import MALFORMED, parse_json

Origin: TypeAlias = Literal["gold", "pseudo"]

PROVENANCE_SUFFIX = ".provenance.json"

_FORMAT, _VERSION = "sammed-provenance", 1


def utc_now() -> str:
    """Return the time, to the second, as ISO 8601."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where the labels of one volume come from.

    `origin` is "gold" for labels that a person made, "pseudo" for a machine's. `annotated_slices` are the
    slices that a person marked, array indices along `axis`: () none, None all of them. In a gold label
    volume a slice that is not among them is unknown; in a pseudo-label volume the machine labeled it.
    `missing_slices` are places along axis 2 that the scan left out, where nothing is known.
    `scores` maps label names to 0..1, the machine's own estimate. `created` is an ISO 8601 time in UTC.
    """

    image_file: str
    image_sha256: str
    origin: Origin
    axis: int | None = None
    annotated_slices: tuple[int, ...] | None = None
    method: str | None = None
    skill_digest: str | None = None
    backbone: str | None = None
    scores: Mapping[str, float] | None = None
    missing_slices: tuple[int, ...] = ()
    sammed_version: str = __version__
    created: str = field(default_factory=utc_now)

    def __post_init__(self) -> None:
        if self.origin not in get_args(Origin):
            raise ConfigError(f"The origin of a label is gold or pseudo, not {self.origin!r}.")
        if not re.fullmatch(r"[0-9a-f]{64}", self.image_sha256):
            raise ConfigError(f"{self.image_sha256!r} is no sha256, which has 64 hexadecimal digits.")
        if self.axis not in (None, 0, 1, 2):
            raise ConfigError(f"The slice axis must be 0, 1 or 2, not {self.axis}.")
        if self.annotated_slices and self.axis is None:
            raise ConfigError("Annotated slices need the axis that they are counted along.")

    def label_details(self, codes: tuple[NamedCode, ...] = ()) -> LabelDetails:
        """What a DICOM file says of these labels, with the codes of structures by name."""
        return LabelDetails(self._algorithm, self.sammed_version, codes)

    @property
    def _algorithm(self) -> Algorithm:
        """DICOM's word for who made the labels: a person, a machine, or both."""
        if self.origin == "gold":
            return "MANUAL" if self.method is None else "SEMIAUTOMATIC"
        return "SEMIAUTOMATIC" if self.annotated_slices else "AUTOMATIC"


def provenance_path(label: Path) -> Path:
    """Return the path of a label volume's provenance: the same name with another ending."""
    return label.with_name(strip_suffix(label) + PROVENANCE_SUFFIX)


def check_label_free(label: Path, *, overwrite: bool) -> None:
    """Raise OutputError unless a label volume and its provenance can be written, as `check_free` does.

    Label volumes that differ in their suffixes alone share the name of the provenance; the second is refused.
    """
    check_free(label, overwrite=overwrite)
    known = provenance_path(label)
    if overwrite or label.exists() or not known.exists():
        return
    stem = strip_suffix(label)
    for other in sorted(label.parent.glob(f"{glob.escape(stem)}.*")):
        if label_suffix_of(other) and strip_suffix(other) == stem:
            raise OutputError(
                f"{known} says where {other.name} comes from, and {label.name} would replace it; choose "
                "another name, or add --overwrite."
            )


@contextmanager
def provenance_beside(label: Path, provenance: Provenance, *, overwrite: bool = False) -> Iterator[Path]:
    """Write provenance while the block writes the label volume at `label`: both files appear, or neither.

    Yields the path of the provenance. Raises OutputError if the file already exists (unless `overwrite`) or
    can't be written.
    """
    path = provenance_path(label)
    with atomic_file(path, ".json", overwrite=overwrite) as partial:
        write_json(partial, provenance_to_json(provenance))
        yield path


def read_provenance(label: Path) -> Provenance | None:
    """Read the provenance beside the label volume at `label`; None if there is none.

    Raises ExportError for a file that is damaged, of a later version, or not provenance at all.
    """
    path = provenance_path(label)
    if not path.exists():
        return None
    try:
        data = parse_json(path.read_text(encoding="utf-8"))
        if data["format"] != _FORMAT:
            raise ExportError(f"{path} is no provenance of labels; move it away or repair it.")
        if data["version"] > _VERSION:
            raise ExportError(
                f"{path} was written by a later sammed ({data['sammed_version']}); update sammed."
            )
        return _from_json(data)
    except OSError as error:
        raise ExportError(f"{path} can't be read: {error.strerror or error}.") from error
    except MALFORMED as error:
        raise ExportError(f"{path} is damaged ({error}); write the labels again or remove it.") from error


def provenance_to_json(provenance: Provenance) -> dict[str, object]:
    """Return the JSON object that `provenance_beside` writes."""
    slices = provenance.annotated_slices
    return {
        "format": _FORMAT,
        "version": _VERSION,
        "image": {"file": provenance.image_file, "sha256": provenance.image_sha256},
        "origin": provenance.origin,
        "method": provenance.method,
        "skill_digest": provenance.skill_digest,
        "backbone": provenance.backbone,
        "sammed_version": provenance.sammed_version,
        "axis": provenance.axis,
        "annotated_slices": None if slices is None else list(slices),
        "scores": None if provenance.scores is None else dict(provenance.scores),
        **({"missing_slices": list(provenance.missing_slices)} if provenance.missing_slices else {}),
        "created": provenance.created,
    }


def _from_json(data: Mapping[str, Any]) -> Provenance:
    slices = data["annotated_slices"]
    return Provenance(
        image_file=str(data["image"]["file"]),
        image_sha256=str(data["image"]["sha256"]),
        origin=data["origin"],
        axis=data["axis"],
        annotated_slices=None if slices is None else tuple(int(index) for index in slices),
        method=data["method"],
        skill_digest=data["skill_digest"],
        backbone=data["backbone"],
        scores=data["scores"],
        missing_slices=tuple(int(index) for index in data.get("missing_slices", ())),
        sammed_version=str(data["sammed_version"]),
        created=str(data["created"]),
    )
