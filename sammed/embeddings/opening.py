"""Opening: from a file, or a volume in memory, to a scan; and labels that lie on its grid."""

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
    checkpoint: Path | None = None,
    device: str = "auto",
    runtime: str = "auto",
    precision: str = "auto",
    reporter: Reporter | None = None,
) -> Scan:
    """A scan: the slices of an image as a backbone sees them.

    `image` is a file, a DICOM folder or a volume. `window` is auto, LOW,HIGH, the name of a preset, or a
    window; auto suits what is annotated as soon as a skill is learned from the scan. `axis` is the array axis
    that slices are counted along, None that of the coarsest spacing. `series` chooses in a DICOM folder. The
    other settings are those of `EncodingConfig`; `cache` keeps what slices were encoded to.

    Raises VolumeError for a file that can't be read or shows nothing, ConfigError for a setting that can't
    be, CheckpointError where weights are missing.
    """
    encoding = EncodingConfig(
        backbone=backbone,
        checkpoint=checkpoint,
        device=device,
        runtime=runtime,
        precision=precision,
        cache=cache,
    )
    volume = image if isinstance(image, Volume) else open_volume(Path(image), series, reporter)
    shown = parse_window(window) if isinstance(window, str) else window
    return open_scan(volume, encoding.load_backbone(), window=shown, axis=axis, cache=encoding.open_cache())


def open_volume(
    path: Path,
    series: str | None = None,
    reporter: Reporter | None = None,
    *,
    fill_gaps: bool = False,
    spacing_mm: tuple[float, float, float] | None = None,
) -> Volume:
    """Read a volume, report what is special about it, refuse one that shows nothing."""
    volume = read_volume(path, series=series, fill_gaps=fill_gaps, spacing_mm=spacing_mm)
    report_notes(volume, reporter or Silent())
    if volume.non_finite_count:
        (reporter or Silent()).message(
            f"{path}: {volume.non_finite_count} values are NaN or infinite; "
            f"they count as background ({volume.background:g})."
        )
    if is_constant(volume):
        raise VolumeError(f"{path}: every voxel has the same value, so there is nothing to see in it.")
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
    """Labels from a file or from memory, on the volume's grid; see `labels_on`.

    Raises VolumeError for labels that do not lie on it, and if no voxel has a label.
    """
    if isinstance(labels, LabelVolume):
        found = labels
    else:
        found = read_labels(Path(labels), flatten=flatten, colors=colors, like=volume.grid)
    if found.is_empty:
        raise VolumeError(f"{found.path or 'The label volume'} is empty: no voxel has a label.")
    if reporter is not None:
        report_notes(found, reporter)
    return labels_on(volume, found, resample=resample, report=reporter.message if reporter else None)


def report_notes(found: Volume | LabelVolume, reporter: Reporter) -> None:
    """Report what is special about the file that was read."""
    for note in found.notes:
        reporter.message(f"{found.path or 'The volume'}: {note}.")
