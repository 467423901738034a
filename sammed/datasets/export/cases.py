"""Cases: an image, its labels, and where the labels come from."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from sammed.errors import ConfigError
from sammed.storage.provenance import Origin, Provenance
from sammed_volumes.formats import strip_suffix
from sammed_volumes.labels import Label


@dataclass(frozen=True, slots=True)
class Case:
    """One image and its labels (None: a test case).

    `annotated_slices` are array indices along `axis` (None: the axis `plan_slices` takes) that a person
    marked; None means all. In a gold case the slices that are not among them are unknown and get the ignore
    label; in a pseudo case the machine labeled them. `provenance` is what stood beside the label volume,
    for the manifest. `name` is what the case is to be called; None: as its image. `labels` says what the
    values of the label volume mean; None: what the file says. Voxels that are above 0 in the volume `ignore`,
    or have the value `ignore_value` in the label volume, are unknown as well.
    """

    image: Path
    label: Path | None
    origin: Origin = "gold"
    axis: int | None = None
    annotated_slices: tuple[int, ...] | None = None
    provenance: Provenance | None = None
    name: str | None = None
    labels: tuple[Label, ...] | None = None
    ignore: Path | None = None
    ignore_value: int | None = None

    def __post_init__(self) -> None:
        if self.origin not in get_args(Origin):
            raise ConfigError(f"The origin of a label is gold or pseudo, not {self.origin!r}.")
        if self.axis not in (None, 0, 1, 2):
            raise ConfigError(f"The slice axis must be 0, 1 or 2, not {self.axis}.")


def case_names(cases: Sequence[Case]) -> tuple[str, ...]:
    """A name for each case, its own or its image's: ASCII letters, digits, "-" and "_"; twins get "_2", "_3".

    >>> case_names([Case(Path("Müller 1.nii.gz"), None), Case(Path("b/Muller_1.mha"), None)])
    ('Muller_1', 'Muller_1_2')
    """
    taken: set[str] = set()
    names = []
    for case in cases:
        own = case.name or strip_suffix(case.image)
        stem = unicodedata.normalize("NFKD", own).encode("ascii", "ignore").decode()
        stem = re.sub(r"[^A-Za-z0-9-]+", "_", stem).strip("_") or "case"
        name, count = stem, 1
        while name.casefold() in taken:  # file systems that take upper and lower case for the same
            count += 1
            name = f"{stem}_{count}"
        taken.add(name.casefold())
        names.append(name)
    return tuple(names)
