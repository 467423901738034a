"""`check`: whether a label volume lies on an image."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from sammed.progress import Reporter
from sammed_volumes.errors import GeometryMismatchError
from sammed_volumes.formats import read_labels, read_volume, spacings_of
from sammed_volumes.grid import VoxelGrid
from sammed_volumes.labels import Label, LabelVolume
from sammed_volumes.orientation import axis_codes
from sammed_volumes.placing import Fit, fit, labels_on
from sammed_volumes.volume import Volume


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRequest:
    """Check `labels` against `image`, or against a DICOM folder in which `series` chooses.

    `fill_gaps` fills slices that the series lacks. `flatten` lets a later segment win over an earlier one;
    `colors` makes each color of a picture a label. `spacing_mm` is that of pictures, X, Y, Z.
    """

    labels: Path
    image: Path
    series: str | None = None
    fill_gaps: bool = False
    spacing_mm: tuple[float, float, float] | None = None
    flatten: bool = False
    colors: bool = False


@dataclass(frozen=True, slots=True)
class LabelFound:
    """A label of the file: its voxels, and how many of them are outside the image."""

    label: Label
    voxels: int
    outside: int

    def to_json(self) -> dict[str, object]:
        """The label with its counts."""
        return {**self.label.to_json(), "voxels": self.voxels, "outside": self.outside}


@dataclass(frozen=True, slots=True)
class GridFound:
    """The grid of a file: shape, spacing, position of the first voxel, and where its axes run ("RAS")."""

    shape: tuple[int, ...]
    spacing_mm: tuple[float, ...]
    origin_ras_mm: tuple[float, ...]
    orientation: str

    @classmethod
    def of(cls, grid: VoxelGrid) -> "GridFound":
        """Describe a grid."""
        origin = tuple(grid.affine_ras_mm[:3, 3].tolist())
        return cls(grid.shape, grid.spacing_mm, origin, axis_codes(grid.affine_ras_mm))


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """Whether labels lie on an image, and how.

    "grid": on its very grid. "lattice": on other voxels of its lattice, from where every command brings them
    onto it exactly. "no": the commands refuse them. `sentences` say so in words; `details` has the affines of
    a mismatch.
    """

    lies_on: Literal["grid", "lattice", "no"]
    sentences: tuple[str, ...]
    labels: GridFound
    image: GridFound
    found: tuple[LabelFound, ...]
    details: str

    @property
    def fits(self) -> bool:
        """Whether the commands take the labels for the image."""
        return self.lies_on != "no"

    def to_json(self) -> dict[str, object]:
        """The object that `sammed check --json` prints."""
        return {
            "fits": self.fits,
            "lies_on": self.lies_on,
            "sentences": list(self.sentences),
            "labels": asdict(self.labels),
            "image": asdict(self.image),
            "found": [each.to_json() for each in self.found],
            "details": self.details,
        }


def check(request: CheckRequest, reporter: Reporter) -> CheckResult:
    """Compare both files as all commands do (`sammed_volumes.placing.labels_on`), and report it in words."""
    image, labels = _read(request)
    found, details = fit(image.grid, labels), ""
    sentences = [f"{each.path}: {note}." for each in (image, labels) for note in each.notes]
    lies_on: Literal["grid", "lattice", "no"] = "grid" if found.is_same else "lattice"
    try:
        labels_on(image, labels, report=sentences.append)
        sentences.insert(0, _sentence(request, found, image.grid, labels.grid))
    except GeometryMismatchError as error:
        lies_on, sentences, details = "no", [str(error)], error.details
    if labels.is_empty:
        sentences.append(f"{request.labels} is empty: no voxel has a label.")
    for sentence in sentences:
        reporter.message(sentence)
    counts = labels.voxel_counts()
    return CheckResult(
        lies_on=lies_on,
        sentences=tuple(sentences),
        labels=GridFound.of(labels.grid),
        image=GridFound.of(image.grid),
        found=tuple(
            LabelFound(each, counts[each.value], found.outside.get(each.value, 0)) for each in labels.labels
        ),
        details=details,
    )


def _read(request: CheckRequest) -> tuple[Volume, LabelVolume]:
    image_mm, labels_mm = spacings_of(request.spacing_mm, request.image, request.labels)
    image = read_volume(
        request.image, series=request.series, fill_gaps=request.fill_gaps, spacing_mm=image_mm
    )
    labels = read_labels(
        request.labels,
        flatten=request.flatten,
        colors=request.colors,
        spacing_mm=labels_mm,
        like=image.grid,
    )
    return image, labels


def _sentence(request: CheckRequest, found: Fit, image: VoxelGrid, labels: VoxelGrid) -> str:
    if found.is_same or found.map is None:
        return f"{request.labels} is on the grid of {request.image}."
    ours, theirs = axis_codes(labels.affine_ras_mm), axis_codes(image.affine_ras_mm)
    turned = "" if ours == theirs else f", but its axes run toward {ours} instead of {theirs}"
    return (
        f"{request.labels} shares the lattice of {request.image}{turned}; every command puts it on the image "
        "voxel by voxel."
    )
