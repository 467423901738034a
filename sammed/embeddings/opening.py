"""Opening: a file or a volume becomes a scan; labels are checked against its grid."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import TypeAlias

from sammed.backbones.registry import DEFAULT_BACKBONE
from sammed.embeddings.config import EncodingConfig
from sammed.embeddings.scan import Scan, open_scan
from sammed.progress import Reporter, Silent
from sammed_volumes.errors import VolumeError
from sammed_volumes.formats import read_labels, read_volume
from sammed_volumes.intensity import Window, is_constant, parse_window
from sammed_volumes.label_likeness import check_are_labels
from sammed_volumes.labels import LabelVolume
from sammed_volumes.placing import labels_on
from sammed_volumes.volume import Volume

File: TypeAlias = str | PathLike[str]


def open(
    image: File | Volume,
    *,
    backbone: str = DEFAULT_BACKBONE,
    window: str | Window = "auto",
    axis: int | None = None,
    cache: bool = True,
    series: str | None = None,
    fill_gaps: bool = False,
    checkpoint: Path | None = None,
    device: str = "auto",
    runtime: str = "auto",
    precision: str = "auto",
    reporter: Reporter | None = None,
) -> Scan:
    """Open an image as a scan: its slices as a backbone sees them.

    `image` is a file, a DICOM folder or a volume. `window` is auto, LOW,HIGH, the name of a preset, or a
    window; `learn` replaces auto by the window of the annotated region. `axis` is the array axis that slices
    are counted along, None that of the coarsest spacing. `series` chooses in a DICOM folder, `fill_gaps`
    fills slices that the series lacks. The other settings are those of `EncodingConfig`. The backbone is
    loaded when a slice is first encoded.

    Raises VolumeError for a file that can't be read or shows nothing, ConfigError for an invalid setting,
    CheckpointError for missing weights.
    """
    encoding = EncodingConfig(
        backbone=backbone,
        checkpoint=checkpoint,
        device=device,
        runtime=runtime,
        precision=precision,
        cache=cache,
    )
    volume = (
        image
        if isinstance(image, Volume)
        else open_volume(Path(image), series, reporter, fill_gaps=fill_gaps)
    )
    shown = parse_window(window) if isinstance(window, str) else window
    return open_scan(volume, encoding.load_backbone, window=shown, axis=axis, cache=encoding.open_cache())


def open_volume(
    path: Path,
    series: str | None = None,
    reporter: Reporter | None = None,
    *,
    fill_gaps: bool = False,
    spacing_mm: tuple[float, float, float] | None = None,
) -> Volume:
    """Read a volume and report what is special about it; VolumeError if it can't be read or is constant."""
    volume = read_volume(path, series=series, fill_gaps=fill_gaps, spacing_mm=spacing_mm)
    report_notes(volume, reporter or Silent())
    if volume.non_finite_count:
        (reporter or Silent()).message(
            f"{path}: {volume.non_finite_count} values are NaN or infinite; "
            f"they count as background ({volume.background:g})."
        )
    if is_constant(volume):
        raise VolumeError(f"{path}: every voxel has the same value, so it shows nothing; use another file.")
    return volume


def open_labels(
    labels: File | LabelVolume,
    volume: Volume,
    *,
    flatten: bool = False,
    colors: bool = False,
    resample: bool = False,
    reporter: Reporter | None = None,
) -> LabelVolume:
    """Return labels from a file or from memory on the volume's grid; see `labels_on`.

    Raises VolumeError if they are empty, do not lie on it, or are an image.
    """
    if isinstance(labels, LabelVolume):
        found = labels
    else:
        found = read_labels(Path(labels), flatten=flatten, colors=colors, like=volume.grid)
        check_are_labels(found)
    if found.is_empty:
        name = found.path or "The label volume"
        raise VolumeError(f"{name} is empty: no voxel has a label; mark some slices first.")
    if reporter is not None:
        report_notes(found, reporter)
    return labels_on(volume, found, resample=resample, report=reporter.message if reporter else None)


def report_notes(found: Volume | LabelVolume, reporter: Reporter) -> None:
    """Report what is special about the file that was read."""
    for note in found.notes:
        reporter.message(f"{found.path or 'The volume'}: {note}.")
