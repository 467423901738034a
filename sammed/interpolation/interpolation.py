"""Interpolation of a scan: labels for all slices from the annotated ones, on the volume's own grid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from jaxtyping import Float, Float32

from sammed.annotations.annotations import Annotations
from sammed.annotations.slice_sampling import Draw, annotate, wanted_labels
from sammed.embeddings.labeled import Labeled
from sammed.embeddings.opening import File, open_labels
from sammed.embeddings.opening import open as open_image
from sammed.embeddings.scan import Scan
from sammed.errors import naming
from sammed.interpolation.stack import Method, interpolate_stack
from sammed.progress import Reporter, Silent
from sammed_volumes.labels import LabelVolume
from sammed_volumes.sidecar import RESAMPLING_METHOD
from sammed_volumes.volume import Volume, clear_missing


def interpolate(
    scan: Scan | File | Volume,
    marks: File | LabelVolume,
    *,
    method: Method = "mean",
    slices: int | None = None,
    slice_index: tuple[int, ...] = (),
    empty_slices: tuple[int, ...] = (),
    labels: tuple[str | int, ...] = (),
    draw: Draw = "even",
    seed: int = 0,
    resample: bool = False,
    reporter: Reporter | None = None,
) -> Labeled:
    """Label all slices of an annotated volume in seconds, without a backbone and without learning.

    `marks` and the annotated slices are as in `sammed.learn`. `method` is "flow" (outlines carried along the
    optical flow), "random-walker", or "mean" of both, weighted by leaving annotated slices out. Far beyond
    the outermost annotated slices nothing is known, so annotate an empty slice beyond each end. With
    `resample` the marks may be on another lattice; the labels' `method` then says that they were resampled.

    Raises VolumeError for labels on another grid, AnnotationError for slices that do not fit.
    """
    opened = scan if isinstance(scan, Scan) else open_image(scan, reporter=reporter)
    found = open_labels(marks, opened.volume, resample=resample, reporter=reporter)
    with naming(found.path):
        annotations = annotate(
            opened.slicing,
            found,
            wanted_labels(found, labels),
            slices=slices,
            slice_index=slice_index,
            empty_slices=empty_slices,
            draw=draw,
            seed=seed,
        )
    labeled = interpolate_scan(opened, annotations, method, reporter or Silent())
    return _of_resampled_marks(labeled) if found.resampled else labeled


def interpolate_scan(scan: Scan, annotations: Annotations, method: Method, reporter: Reporter) -> Labeled:
    """Label all slices of a scan from its annotated ones; a scan without a window is shown through theirs."""
    slicing = scan.slicing
    scan = scan.through_window_of(annotations.region(slicing.count))
    images = gray_images(scan)
    with reporter.task("interpolation", len(annotations.indices) + 1) as task:
        found = interpolate_stack(
            images, annotations, slicing.pixel_spacing_mm, slicing.slice_spacing_mm, method, task.advance
        )
    if found.reduction > 1:
        reporter.message(
            f"In the largest gap between annotated slices, the random walker works on slices that are "
            f"{found.reduction} times smaller, to save memory."
        )
    voxels = np.array(slicing.from_stack(found.stack), order="C")
    clear_missing(voxels, scan.volume)
    return Labeled(
        scan=scan,
        labels=LabelVolume(voxels, scan.volume.affine_ras_mm, annotations.labels),
        method=f"interpolation/{method}",
        annotated=tuple(sorted(slicing.array_index(index) for index in annotations.indices)),
        estimates=found.expected_dice,
    )


def gray_images(scan: Scan) -> Iterator[Float32[np.ndarray, "H W"]]:
    """Yield all slices of a scan through its window, 0..1, without colors."""
    return (_gray(scan.image(index)) for index in range(scan.slicing.count))


def _of_resampled_marks(labeled: Labeled) -> Labeled:
    labels = replace(labeled.labels, resampled=True)
    return replace(labeled, labels=labels, method=f"{labeled.method}; {RESAMPLING_METHOD}")


def _gray(image: Float[np.ndarray, "H W *C"]) -> Float32[np.ndarray, "H W"]:
    gray: np.ndarray = image if image.ndim == 2 else image.mean(axis=2)
    return gray.astype(np.float32)
