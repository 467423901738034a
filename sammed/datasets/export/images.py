"""Images of a data set: a copy of the file where its format fits, else the same values in another format."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Shaped

from sammed.datasets.labeled_sets.labeled_set import Case
from sammed.errors import ExportError
from sammed_volumes.affine import swap_ras_lps
from sammed_volumes.formats import suffix_of
from sammed_volumes.nifti import write_nifti
from sammed_volumes.volume import Volume

# Formats of volumes that nnU-Net's own readers read, the default first.
FILE_ENDINGS = (".nii.gz", ".nrrd", ".mha")

_INTEGER_TYPES = (np.uint8, np.int16, np.uint16, np.int32)


def choose_ending(cases: Sequence[Case], wanted: str | None) -> str:
    """Return the ending of all files: the wanted one, else the one that all images share, else .nii.gz."""
    if wanted is not None:
        if wanted not in FILE_ENDINGS:
            raise ExportError(f"The files of a data set end in {', '.join(FILE_ENDINGS)}, not in {wanted!r}.")
        return wanted
    found = {suffix_of(case.image) for case in cases}
    return found.pop() if len(found) == 1 and found <= set(FILE_ENDINGS) else FILE_ENDINGS[0]


def write_image(volume: Volume, source: Path, paths: Sequence[Path]) -> None:
    """Write the channels of an image, one or a color picture's three, to `paths`, all of one ending.

    Bytes are copied where the file `source` has that ending and holds a plain 3-D volume of finite numbers;
    otherwise the same values are written, NaN and infinity as the volume's background.
    """
    kinds = suffix_of(source), suffix_of(paths[0])
    if volume.is_color:
        for channel, path in enumerate(paths):
            _write(replace(volume, voxels=volume.voxels[..., channel]), path)
    elif volume.non_finite_count or not _is_plain(source):
        _write(volume, paths[0])
    elif kinds[0] == kinds[1]:
        shutil.copyfile(source, paths[0])
    elif kinds == (".nii", ".nii.gz"):
        with source.open("rb") as plain, gzip.open(paths[0], "wb", compresslevel=6) as packed:
            shutil.copyfileobj(plain, packed)
    else:
        _write(volume, paths[0])


def real_values(volume: Volume) -> Shaped[np.ndarray, "X Y Z"]:
    """Return the volume's values: whole numbers of up to 32 bits as integers, all others as float32."""
    stored = volume.voxels
    slope, intercept = float(volume.slope), float(volume.intercept)
    if (slope, intercept) == (1.0, 0.0) and stored.dtype.newbyteorder("=") in _INTEGER_TYPES:
        return stored
    if stored.dtype.kind in "ui" and slope.is_integer() and intercept.is_integer():
        ends = [int(end) * int(slope) + int(intercept) for end in (stored.min(), stored.max())]
        kind = _integer_type(min(ends), max(ends))
        if kind is not None:
            # 64 bits hold every intermediate value; one plane at a time saves memory.
            return _by_plane(volume, kind, lambda plane: plane.astype(np.int64) * int(slope) + int(intercept))
    return _by_plane(volume, np.float32, volume.values)


def _by_plane(
    volume: Volume, kind: type[np.number[Any]], convert: Callable[[np.ndarray], np.ndarray]
) -> Shaped[np.ndarray, "X Y Z"]:
    values = np.empty(volume.shape, dtype=kind)
    for k in range(volume.shape[2]):
        values[:, :, k] = convert(volume.voxels[:, :, k])
    return values


def _integer_type(lowest: int, highest: int) -> type[np.integer[Any]] | None:
    """Return the smallest type that holds both; None where no type of up to 32 bits does."""
    for kind in _INTEGER_TYPES:
        if np.iinfo(kind).min <= lowest and highest <= np.iinfo(kind).max:
            return kind
    return None


def _is_plain(path: Path) -> bool:
    """Return whether a file has three axes and one channel, as other tools expect."""
    ending = suffix_of(path)
    if ending in (".nii", ".nii.gz"):
        import nibabel

        header: Any = nibabel.load(path)
        return len(header.shape) == 3
    if ending not in FILE_ENDINGS:
        return False
    import SimpleITK

    sitk: Any = SimpleITK
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError:  # a variant of the format that only sammed_volumes reads
        return False
    return bool(reader.GetDimension() == 3 and reader.GetNumberOfComponents() == 1)


def _write(volume: Volume, path: Path) -> None:
    values = real_values(volume)
    if suffix_of(path) == ".nii.gz":
        write_nifti(values, volume.affine_ras_mm, path, None)
        return
    import SimpleITK

    sitk: Any = SimpleITK
    affine_lps_mm = swap_ras_lps(volume.affine_ras_mm)
    spacing_mm = np.array(volume.spacing_mm)
    image = sitk.GetImageFromArray(np.ascontiguousarray(values.transpose(2, 1, 0)))  # Z Y X
    image.SetSpacing(spacing_mm.tolist())
    image.SetOrigin(affine_lps_mm[:3, 3].tolist())
    image.SetDirection((affine_lps_mm[:3, :3] / spacing_mm).ravel().tolist())
    sitk.WriteImage(image, str(path), useCompression=True)
