"""The request of a batch: its volumes, its outputs, its processes. Does not import torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sammed.batch.shards import Shard
from sammed.errors import ConfigError
from sammed.storage.outputs import is_folder
from sammed_volumes.dicom.codes import NamedCode


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRequest:
    """Label images, or the images in folders.

    `inputs` are files, DICOM folders, folders of either, and patterns with * and ?; `lists` are text files
    with one such path per line. `output` is a file for a single image, otherwise a folder that mirrors the
    tree of inputs; None writes each label volume beside its image. `suffix` is the format if `output` does
    not name one.

    `spacing_mm` is that of pictures, X, Y, Z. `stack` makes each folder of numbered pictures one volume.
    `fill_gaps` fills slices that a DICOM series lacks. `codes` are those of structures in a DICOM file.

    A batch keeps a manifest, in the output folder or at `manifest`. `resume` skips volumes that are labeled
    and unchanged; None means True unless `overwrite`. The work is shared by `workers` processes on this
    machine, or by the Dask cluster whose scheduler is at the address `cluster`.
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
            raise ConfigError(f"There must be one worker or more, not {self.workers}.")
        if self.workers is not None and self.cluster is not None:
            raise ConfigError("Give a number of workers or the address of a cluster, not both.")

    @property
    def reading(self) -> dict[str, str]:
        """The options that change the voxels or the grid of a volume, as text, for the manifest's recipe."""
        return {} if self.spacing_mm is None else {"spacing_mm": ",".join(map(str, self.spacing_mm))}

    @property
    def is_spread(self) -> bool:
        """Whether other processes label the volumes."""
        return self.workers is not None or self.cluster is not None

    @property
    def creates_folders(self) -> bool:
        """Whether the folders of the outputs are created: they are below `output`, not beside the images."""
        return self.output is not None and is_folder(self.output)
