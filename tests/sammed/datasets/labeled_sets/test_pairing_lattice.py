"""Pairing: annotated slices of labels in another storage are those of the image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from sammed.datasets.labeled_sets.pairing import gather_cases
from sammed.storage.provenance import Provenance
from sammed_volumes.formats import write_labels
from sammed_volumes.labels import LabelVolume
from sammed_volumes.lattice import reorientation
from sammed_volumes.volume import Volume
from tests.provenance_writing import write_provenance


def test_slices_count_along_the_image(tmp_path: Path, phantom: Callable[..., Any]) -> None:
    made = phantom(shape=(23, 19, 11))
    image = LabelVolume(np.abs(made.volume.voxels).astype(np.uint16), made.volume.affine_ras_mm, ())
    write_labels(image, tmp_path / "a.nii.gz", like=made.volume)
    marked = np.zeros_like(made.labels.voxels)
    marked[:, :, [3, 5]] = made.labels.voxels[:, :, [3, 5]]
    found, grid = reorientation(made.labels.grid, "IRA")  # slices from behind, along the first axis
    turned = replace(made.labels, voxels=found.place(marked), affine_ras_mm=grid.affine_ras_mm)
    label = tmp_path / "a_label.nii.gz"
    write_labels(turned, label, like=Volume(turned.voxels, turned.affine_ras_mm))

    (case,) = gather_cases(tmp_path / "a.nii.gz", label, marked_only=True)
    assert (case.axis, case.annotated_slices) == (2, (3, 5))

    write_provenance(label, Provenance("a.nii.gz", "a" * 64, "gold", 0, (11 - 1 - 5, 11 - 1 - 3)))
    (case,) = gather_cases(tmp_path / "a.nii.gz", label)
    assert (case.axis, case.annotated_slices) == (2, (3, 5))
