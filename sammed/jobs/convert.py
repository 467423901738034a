"""`convert`: a label volume in another format, in another orientation, or on the grid of an image."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from sammed.embeddings.opening import report_notes
from sammed.errors import ConfigError
from sammed.progress import Reporter
from sammed.storage.fingerprint import image_digest
from sammed.storage.provenance import Provenance, check_label_free, provenance_beside, read_provenance
from sammed.version import __version__
from sammed_volumes.dicom.codes import NamedCode
from sammed_volumes.dicom.details import LabelDetails
from sammed_volumes.formats import read_labels, read_volume, spacings_of, write_labels
from sammed_volumes.labels import LabelVolume
from sammed_volumes.lattice import LatticeMap, reorientation
from sammed_volumes.orientation import axis_codes
from sammed_volumes.placing import fit, labels_on
from sammed_volumes.sidecar import RESAMPLING_METHOD
from sammed_volumes.slices import plan_slices
from sammed_volumes.volume import Volume


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvertRequest:
    """Write the labels of `source` as `output`, whose suffix names the format.

    `like` is an image, or a DICOM folder in which `series` chooses: the labels go onto its grid, which
    `resample` allows from another lattice too. `orientation` names the ends that the axes run toward, as in
    "RAS". With neither the grid stays. `fill_gaps` fills slices that the series lacks. `codes` are those of
    structures in a DICOM file. `flatten` lets a later segment win over an earlier one;
    `spacing_mm` is that of pictures, X, Y, Z.
    """

    source: Path
    output: Path
    like: Path | None = None
    orientation: str | None = None
    series: str | None = None
    fill_gaps: bool = False
    codes: tuple[NamedCode, ...] = ()
    spacing_mm: tuple[float, float, float] | None = None
    flatten: bool = False
    colors: bool = False
    resample: bool = False
    overwrite: bool = False

    def __post_init__(self) -> None:
        if self.like is not None and self.orientation is not None:
            raise ConfigError("Give an image to be like, or an orientation, not both.")
        if self.resample and self.like is None:
            raise ConfigError("Resampling needs an image whose grid the labels go onto (--like IMAGE).")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvertResult:
    """What was written: `files` are the label volume and what stands beside it."""

    files: tuple[Path, ...]
    shape: tuple[int, int, int]
    orientation: str
    labels: tuple[str, ...]
    resampled: bool

    def to_json(self) -> dict[str, object]:
        """The object that `sammed convert --json` prints."""
        return {
            "output": str(self.files[0]),
            "files": [str(path) for path in self.files],
            "shape": list(self.shape),
            "orientation": self.orientation,
            "labels": list(self.labels),
            "resampled": self.resampled,
        }


def convert(request: ConvertRequest, reporter: Reporter) -> ConvertResult:
    """Write the labels; every voxel keeps its label and its place unless they are resampled."""
    check_label_free(request.output, overwrite=request.overwrite)
    labels, image = _read(request)
    report_notes(labels, reporter)
    placed, like, found = _placed(request, labels, image, reporter)
    files = _write(request, placed, like, _provenance(request, placed, found))
    return ConvertResult(
        files=files,
        shape=placed.shape,
        orientation=axis_codes(placed.affine_ras_mm),
        labels=tuple(label.name for label in placed.labels),
        resampled=placed.resampled,
    )


def _read(request: ConvertRequest) -> tuple[LabelVolume, Volume | None]:
    """The labels, and the image whose grid they go onto, if there is one."""
    image, spacing_mm = None, request.spacing_mm
    if request.like is not None:
        spacing_mm, image_mm = spacings_of(spacing_mm, request.source, request.like)
        image = read_volume(
            request.like, series=request.series, fill_gaps=request.fill_gaps, spacing_mm=image_mm
        )
    labels = read_labels(
        request.source,
        flatten=request.flatten,
        colors=request.colors,
        spacing_mm=spacing_mm,
        like=None if image is None else image.grid,
    )
    return labels, image


def _placed(
    request: ConvertRequest, labels: LabelVolume, like: Volume | None, reporter: Reporter
) -> tuple[LabelVolume, Volume, LatticeMap | None]:
    """The labels where they go, a volume on that grid, and the map there; None if they were resampled."""
    if like is not None:
        placed = labels_on(like, labels, resample=request.resample, report=reporter.message)
        return placed, like, fit(like.grid, labels).map
    if not labels.is_placed:
        reporter.message(f"{request.source} states no position; {request.output} gets one that is made up.")
    try:
        codes = (request.orientation or axis_codes(labels.affine_ras_mm)).upper()
        found, grid = reorientation(labels.grid, codes)
    except ValueError:
        raise ConfigError(
            f"An orientation is three letters, one each of R or L, A or P and S or I, as in RAS; "
            f"not {request.orientation!r}."
        ) from None
    placed = replace(labels, voxels=found.place(labels.voxels), affine_ras_mm=grid.affine_ras_mm)
    return placed, Volume(placed.voxels, grid.affine_ras_mm), found


def _provenance(request: ConvertRequest, placed: LabelVolume, found: LatticeMap | None) -> Provenance | None:
    """The source's provenance, with slices that count along the array that is written."""
    written = read_provenance(request.source)
    if written is None:
        return None
    axis, annotated = written.axis, written.annotated_slices
    if found is not None and axis is not None:
        axis, slices = found.slices(axis, annotated or ())
        return replace(written, axis=axis, annotated_slices=None if annotated is None else slices)
    if found is not None or request.like is None:
        return written
    if annotated is not None:
        axis, annotated = _labeled_slices(placed)
    return replace(
        written,
        image_file=request.like.name,
        image_sha256=image_digest(request.like),
        axis=axis,
        annotated_slices=annotated,
        method="; ".join(filter(None, (written.method, RESAMPLING_METHOD))),
    )


def _labeled_slices(labels: LabelVolume) -> tuple[int, tuple[int, ...]]:
    """The axis of coarsest spacing and the slices along it that hold a label."""
    axis = plan_slices(labels.shape, labels.affine_ras_mm).axis
    others = tuple(other for other in range(3) if other != axis)
    return axis, tuple(np.flatnonzero(labels.voxels.any(axis=others)).tolist())


def _write(
    request: ConvertRequest, labels: LabelVolume, like: Volume, provenance: Provenance | None
) -> tuple[Path, ...]:
    if provenance is None:  # a person's
        details = LabelDetails("MANUAL", __version__, request.codes)
        return write_labels(labels, request.output, like=like, overwrite=request.overwrite, details=details)
    details = provenance.label_details(request.codes)
    with provenance_beside(request.output, provenance, overwrite=request.overwrite) as path:
        files = write_labels(labels, request.output, like=like, overwrite=request.overwrite, details=details)
    return (*files, path)
