"""A target: a volume with the place of what is made of it."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Target:
    """`series` of `image`, see `sammed.batch.sources.Source`, becomes the label volume `output`."""

    image: Path
    output: Path
    series: str | None = None

    def key(self, root: Path) -> str:
        """What the manifest of the folder `root` calls it: the output's place, seen from there."""
        return Path(os.path.relpath(self.output, root)).as_posix()
