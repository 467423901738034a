"""Which labels have a name of their own, so that two label volumes can be matched by it."""

from __future__ import annotations

import re

from sammed_volumes.labels import Label

# What readers and editors call a label for which a file has no name: "5", "label_5", "Segment_5".
_PLACEHOLDER = re.compile(r"(label|segment|class)?[ _-]*\d*")


def own_name(label: Label) -> str:
    """The label's name in the form to match by (case aside); "" where it says no more than the value.

    >>> own_name(Label(5, "Right lung", (0, 0, 0))), own_name(Label(5, "label_5", (0, 0, 0)))
    ('right lung', '')
    """
    name = label.name.strip().casefold()
    return "" if _PLACEHOLDER.fullmatch(name) else name
