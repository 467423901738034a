"""Reading and writing volumes by the format that a path's ending names."""

from pathlib import Path

from sammed_volumes.errors import UnreadableVolumeError, VolumeError
from sammed_volumes.labels import LabelVolume, complete_labels
from sammed_volumes.nifti import read_nifti, write_nifti
from sammed_volumes.nrrd import read_nrrd
from sammed_volumes.volume import Volume, count_non_finite

LABEL_SUFFIXES = (".nii.gz", ".nii", ".seg.nrrd", ".nrrd", ".mha")
VOLUME_SUFFIXES = (*LABEL_SUFFIXES, ".nhdr", ".mhd", ".png", ".jpg", ".jpeg", ".tif", ".tiff")


def read_volume(path: str | Path, *, series: str | None = None) -> Volume:
    path = Path(path)
    suffix = suffix_of(path)
    if suffix in (".nii", ".nii.gz"):
        volume = read_nifti(path)
    elif suffix in (".nrrd", ".seg.nrrd", ".nhdr"):
        volume = read_nrrd(path)
    else:
        raise UnreadableVolumeError(f"{path}: unknown ending")
    return count_non_finite(volume)


def suffix_of(path: str | Path) -> str:
    name = Path(path).name.lower()
    return next((s for s in VOLUME_SUFFIXES if name.endswith(s)), "")


def strip_suffix(path: str | Path) -> str:
    name = Path(path).name
    suffix = suffix_of(name)
    return name[: -len(suffix)] if suffix else name


def read_labels(path: str | Path, *, flatten: bool = False) -> LabelVolume:
    import numpy as np

    volume = read_volume(path)
    v = volume.voxels
    u = v.astype(np.min_scalar_type(int(v.max())))
    return LabelVolume(u, volume.affine_ras_mm, complete_labels(u, ()), volume.path)


def write_labels(
    labels: LabelVolume, path: str | Path, *, like: Volume, overwrite: bool = False
) -> tuple[Path, ...]:
    from sammed_volumes.volume import NiftiHeader

    path = Path(path)
    if not path.name.endswith((".nii", ".nii.gz")):
        raise VolumeError("soon")
    header = like.header if isinstance(like.header, NiftiHeader) else None
    write_nifti(labels.voxels, like.affine_ras_mm, path, header)
    return (path,)
