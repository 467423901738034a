"""The sidecar: a JSON file next to a label volume whose format can't store names.

    {"labels": [{"value": 1, "name": "liver", "color_rgb": [220, 40, 60]}]}

Other programs, such as BIDS tools, put JSON files with the same name next to images; those stay untouched.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sammed_volumes.errors import LabelError, OutputError
from sammed_volumes.json_text import MALFORMED, parse_json
from sammed_volumes.labels import Label

RESAMPLED, RESAMPLING_METHOD = "resampled", "shape-based interpolation of signed distances"
"""The key and the text that state in a file that its labels were interpolated from another grid."""


def read_sidecar(path: Path) -> tuple[Label, ...]:
    """Return the labels in a sidecar; none if there is no such file or it contains something else."""
    entries = _entries(path)
    if entries is None:
        return ()
    try:
        return tuple(Label.from_json(entry) for entry in entries)
    except MALFORMED as error:
        raise LabelError(
            f"the labels in {path} lack a valid value, name or color; correct or remove that file"
        ) from error


def is_resampled(path: Path) -> bool:
    """Whether a sidecar says that its labels were interpolated from another grid."""
    return _entries(path) is not None and RESAMPLED in parse_json(path.read_text(encoding="utf-8"))


def write_sidecar(labels: Sequence[Label], path: Path, *, resampled: bool = False) -> None:
    """Write the values, names and colors of labels, and whether they were interpolated from another grid."""
    content: dict[str, Any] = {"labels": _as_entries(labels)}
    if resampled:
        content[RESAMPLED] = RESAMPLING_METHOD
    text = json.dumps(content, indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def says_the_same(path: Path, labels: Sequence[Label]) -> bool:
    """Whether `path` is a sidecar with exactly these labels."""
    return _entries(path) == _as_entries(labels)


def check_is_ours(path: Path) -> None:
    """Raise OutputError where overwriting `path` would lose a JSON file that is not a sidecar."""
    if path.exists() and _entries(path) is None:
        raise OutputError(
            f"{path} is not a list of label names and would be overwritten by one; move it or choose another "
            "name."
        )


def _entries(path: Path) -> list[Any] | None:
    try:
        content = parse_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    entries = content.get("labels") if isinstance(content, dict) else None
    is_ours = isinstance(entries, list) and all(isinstance(entry, dict) for entry in entries)
    return entries if is_ours else None


def _as_entries(labels: Sequence[Label]) -> list[dict[str, Any]]:
    return [label.to_json() for label in labels]
