"""`export`: write a data set for nnU-Net or MONAI. Does not import torch."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sammed.datasets.export import monai, nnunet
from sammed.datasets.export.cases import cases_of_set
from sammed.datasets.export.dataset import DataSet
from sammed.datasets.labeled_sets.gathered import Gathered
from sammed.datasets.labeled_sets.label_reading import LabelReading
from sammed.datasets.labeled_sets.pairing import gather_cases
from sammed.datasets.labeled_sets.set_file import SET_FILE_NAME, read_set
from sammed.errors import ConfigError
from sammed.jobs.validation import check_axis
from sammed.progress import Reporter


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRequest:
    """Write images and their label volumes, or a labeled set, as a data set into the folder `output`.

    `images` and `labels` are two folders or two files, see `gather_cases`; with `labels` None `images` is a
    labeled set. `pseudo` are further pairs with labels that a machine made, `test` images without labels.
    `marked_only` means that slices of `labels` without a label are unknown. `flatten` lets later segments of
    a `.seg.nrrd` win over earlier ones; `resample` interpolates labels on another lattice.
    """

    images: Path
    labels: Path | None = None
    pseudo: tuple[tuple[Path, Path], ...] = ()
    test: tuple[Path, ...] = ()
    marked_only: bool = False
    axis: int | None = None
    flatten: bool = False
    resample: bool = False
    output: Path
    name: str
    description: str = ""
    license: str = ""
    modality: str | None = None
    file_ending: str | None = None
    folds: int = 5
    overwrite: bool = False

    def __post_init__(self) -> None:
        check_axis(self.axis)
        if self.labels is None and (self.pseudo or self.test or self.marked_only or self.axis is not None):
            raise ConfigError(
                "--pseudo, --test, --marked-only and --axis need IMAGES and LABELS, not a labeled set."
            )
        if self.labels is None and (self.flatten or self.resample):
            raise ConfigError(
                "A labeled set says itself how its labels are read; give --flatten and --resample to "
                "`sammed set make`."
            )

    def cases(self) -> Gathered:
        """Gather the cases. Raises ExportError or SetError, and ConfigError if `images` is not a set."""
        if self.labels is None:
            return self._cases_of_set()
        gather = partial(
            gather_cases, axis=self.axis, reading=LabelReading(flatten=self.flatten, resample=self.resample)
        )
        cases = list(gather(self.images, self.labels, marked_only=self.marked_only))
        for images, labels in self.pseudo:
            cases += gather(images, labels, origin="pseudo")
        for folder in self.test:
            cases += gather_cases(folder, None)
        return Gathered(tuple(cases))

    def properties(self) -> dict[str, Any]:
        """Return what both formats have in common, as arguments of `export_nnunet` and `export_monai`."""
        names = ("name", "description", "license", "modality", "file_ending", "folds", "overwrite")
        return {name: getattr(self, name) for name in names}

    def _cases_of_set(self) -> Gathered:
        if self.images.name != SET_FILE_NAME and not (self.images / SET_FILE_NAME).exists():
            raise ConfigError(f"Give LABELS as well, or a labeled set: {self.images} has no {SET_FILE_NAME}.")
        return cases_of_set(read_set(self.images))


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportNnunetRequest(ExportRequest):
    """Write a raw data set of nnU-Net v2, DatasetNNN_NAME, into the folder `output`."""

    dataset_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportMonaiRequest(ExportRequest):
    """Write images, labels and a MONAI data list into the folder `output`."""


def export_nnunet(request: ExportNnunetRequest, reporter: Reporter) -> DataSet:
    """Write a raw data set of nnU-Net."""
    properties = request.properties()
    return nnunet.export_nnunet(request.cases(), request.output, dataset_id=request.dataset_id, **properties)


def export_monai(request: ExportMonaiRequest, reporter: Reporter) -> DataSet:
    """Write a folder with a MONAI data list."""
    return monai.export_monai(request.cases(), request.output, **request.properties())
