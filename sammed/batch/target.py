"""A target: a volume and the file that its labels go to."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Target:
    """The labels of `image` go to `output`; `series` is that of `sammed.batch.sources.Source`."""

    image: Path
    output: Path
    series: str | None = None

    def key(self, root: Path) -> str:
        """Return its name in the manifest of the folder `root`: the output's path relative to it."""
        return Path(os.path.relpath(self.output, root)).as_posix()
