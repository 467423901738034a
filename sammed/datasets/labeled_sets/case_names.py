"""Names of cases that are safe in every file system."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable


def case_names(wanted: Iterable[str]) -> tuple[str, ...]:
    """Return a name for each wanted one: ASCII letters, digits, "-" and "_"; twins get "_2", "_3".

    >>> case_names(["Müller 1", "Muller_1"])
    ('Muller_1', 'Muller_1_2')
    """
    taken: set[str] = set()
    names = []
    for text in wanted:
        stem = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
        stem = re.sub(r"[^A-Za-z0-9-]+", "_", stem).strip("_") or "case"
        name, count = stem, 1
        while name.casefold() in taken:  # some file systems ignore case
            count += 1
            name = f"{stem}_{count}"
        taken.add(name.casefold())
        names.append(name)
    return tuple(names)
