"""NIfTI positions: a header states the position of its voxels up to twice, as sform and as qform."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sammed_volumes.affine import apply_affine, corner_points, spacing_mm
from sammed_volumes.volume import NiftiHeader

_DIFFERENT_VOXELS = 1.0


@dataclass(frozen=True, slots=True)
class NiftiPosition:
    """The codes of sform and qform, 0 for one that is not stated, and how far apart they place a voxel.

    `apart_mm` is the largest distance of two corresponding corners, `apart_voxels` the same in shortest voxel
    edges; None unless both are stated and valid.
    """

    sform_code: int
    qform_code: int
    apart_mm: float | None = None
    apart_voxels: float | None = None

    @property
    def is_stated(self) -> bool:
        """Whether the header states a position at all."""
        return self.sform_code > 0 or self.qform_code > 0

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know about the position; the sform is used if it is stated."""
        if not self.is_stated:
            return ("it states no position (its sform and qform codes are 0), so positions are made up",)
        if self.apart_voxels is not None and self.apart_voxels > _DIFFERENT_VOXELS:
            return (
                f"its sform and qform place voxels up to {self.apart_mm:.3g} mm apart; the sform is used",
            )
        return ()


def position_in(header: NiftiHeader) -> NiftiPosition:
    """Return what a header states about the position."""
    import nibabel
    from nibabel.spatialimages import HeaderDataError

    header_class: Any = nibabel.Nifti1Header if header.version == 1 else nibabel.Nifti2Header
    fields = header_class(header.block, endianness=_endianness(header), check=False)
    codes = int(fields["sform_code"]), int(fields["qform_code"])
    if min(codes) <= 0:
        return NiftiPosition(*codes)
    try:
        sform_ras_mm, qform_ras_mm = fields.get_sform(), fields.get_qform()
    except (HeaderDataError, ValueError, np.linalg.LinAlgError):
        return NiftiPosition(*codes)
    corners = corner_points((*fields.get_data_shape(), 1, 1)[:3])
    apart = apply_affine(sform_ras_mm, corners) - apply_affine(qform_ras_mm, corners)
    apart_mm = float(np.linalg.norm(apart, axis=1).max())
    edge_mm = min(spacing_mm(sform_ras_mm))
    return NiftiPosition(*codes, apart_mm, apart_mm / edge_mm if edge_mm else None)


def _endianness(header: NiftiHeader) -> str:
    size = 348 if header.version == 1 else 540
    return "<" if int.from_bytes(header.block[:4], "little") == size else ">"
