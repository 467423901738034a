"""JSON files that people may read."""

import json
from pathlib import Path


def write_json(path: Path, data: object) -> None:
    """Write JSON that people can read."""
    path.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
