"""The files of a pseudo-label: labels with their provenance, and ignored voxels."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from sammed.datasets.labeled_sets.labeled_set import Case, LabeledSet
from sammed.datasets.labeled_sets.pictures import OpenCase, open_case
from sammed.datasets.pseudo.pseudo_label import PseudoLabel
from sammed.storage.fingerprint import image_digest
from sammed.storage.provenance import Provenance, provenance_beside
from sammed_volumes.formats import read_volume, write_labels
from sammed_volumes.labels import Label, LabelVolume
from sammed_volumes.volume import Volume

_IGNORED = Label(1, "ignored", (128, 128, 128))


def write_pseudo_label(
    found: PseudoLabel, case: Case, labeled_set: LabeledSet, folder: Path, method: str, backbone: str
) -> tuple[Path, Path | None]:
    """Write `labels/CASE.nii.gz` and, if voxels are ignored, `ignore/CASE.nii.gz`; return their paths.

    Annotated slices keep the annotator's labels. Existing files are replaced.
    """
    assert found.labels is not None  # the caller has checked
    path = folder / "labels" / f"{case.name}.nii.gz"
    labels, ignore = found.labels, found.ignore
    if case.is_partial:
        opened = open_case(case, labeled_set)
        volume = opened.volume
        labels, ignore = _with_annotations(opened, labels, ignore)
    else:
        volume = read_volume(case.image)
    provenance = Provenance(
        image_file=case.image.name,
        image_sha256=image_digest(case.image),
        origin="pseudo",
        axis=case.axis,
        annotated_slices=case.annotated_slices if case.axis is not None else (),
        method=method,
        skill_digest=found.maker_digest or None,
        backbone=backbone,
        scores={
            label.name: found.label_scores[label.value]
            for label in labels.labels
            if label.value in found.label_scores
        },
    )
    # Labels without their provenance would count as gold.
    with provenance_beside(path, provenance, overwrite=True):
        write_labels(labels, path, like=volume, overwrite=True)
    return path.absolute(), _write_ignored(ignore, volume, folder / "ignore" / path.name)


def _with_annotations(
    opened: OpenCase, labels: LabelVolume, ignore: np.ndarray | None
) -> tuple[LabelVolume, np.ndarray | None]:
    """Return labels and ignored voxels with the annotator's own on the annotated slices."""
    known, gold = list(opened.known), opened.label_stack()
    dtype = np.promote_types(labels.voxels.dtype, gold.dtype)
    stack = opened.slicing.to_stack(labels.voxels).astype(dtype)
    stack[known] = gold[known]
    merged = replace(labels, voxels=opened.on_grid(stack))
    if ignore is None and opened.ignore is None:
        return merged, None
    ignored = opened.slicing.to_stack(np.zeros(labels.shape, bool) if ignore is None else ignore).copy()
    ignored[known] = False if opened.ignore is None else opened.slicing.to_stack(opened.ignore)[known]
    return merged, opened.on_grid(ignored)


def _write_ignored(ignore: np.ndarray | None, volume: Volume, path: Path) -> Path | None:
    if ignore is None or not ignore.any():
        return None
    labels = LabelVolume(ignore.astype(np.uint8), volume.affine_ras_mm, (_IGNORED,))
    write_labels(labels, path, like=volume, overwrite=True)
    return path.absolute()
