"""The request of a batch: which volumes, where their labels go, who does the work. No torch here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sammed.batch.shards import Shard
from sammed.errors import ConfigError
from sammed_volumes.dicom.codes import NamedCode


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRequest:
    """Label images, or the images in folders.

    `inputs` are files, DICOM folders, folders of either, and patterns with * and ?; `lists` are text files
    with such a path a line. `output` is a file for a single image, else a folder that mirrors the inputs';
    None puts each label volume beside its image. `suffix` is the format where `output` names none.

    `spacing_mm` is that of pictures, X, Y, Z. `stack` makes a folder of numbered pictures one volume.
    `fill_gaps` fills slices that a DICOM series lacks, and `codes` are those of structures in a DICOM SEG.

    Of a batch a manifest is kept, in the folder of outputs or at `manifest`. `resume` passes what it says is
    done and unchanged; None does unless `overwrite`. `workers` processes of this machine share the work, or
    those of a Dask cluster whose scheduler is at the address `cluster`.
    """

    inputs: tuple[Path, ...] = ()
    lists: tuple[Path, ...] = ()
    output: Path | None = None
    overwrite: bool = False
    suffix: str = ".nii.gz"
    series: str | None = None
    spacing_mm: tuple[float, float, float] | None = None
    stack: bool = False
    fill_gaps: bool = False
    codes: tuple[NamedCode, ...] = ()
    manifest: Path | None = None
    resume: bool | None = None
    shard: Shard | None = None
    workers: int | None = None
    cluster: str | None = None

    def __post_init__(self) -> None:
        if not (self.inputs or self.lists):
            raise ConfigError("There is nothing to label: give an image, a folder or a list.")
        if self.workers is not None and self.workers < 1:
            raise ConfigError(f"It takes one worker or more, not {self.workers}.")
        if self.workers is not None and self.cluster is not None:
            raise ConfigError("Say how many workers to start here or where the cluster is, not both.")

    @property
    def is_spread(self) -> bool:
        """Whether other processes do the work."""
        return self.workers is not None or self.cluster is not None
