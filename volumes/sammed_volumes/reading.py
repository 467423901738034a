"""Reading: a file that is not DICOM, by its content; the suffix chooses where the content does not show.

Readers state a fact ("it is cut short"); `formats` turns it into a sentence with the file's name.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from sammed_volumes.content import Content, content_of, stated_kind
from sammed_volumes.errors import UnreadableVolumeError, UnsupportedVolumeError
from sammed_volumes.grid import VoxelGrid
from sammed_volumes.images import (
    NO_SPACING,
    Spacing,
    is_of_pictures,
    picture_affine,
    read_picture,
    read_stack,
)
from sammed_volumes.labels import Label, LabelVolume, complete_labels
from sammed_volumes.metaimage import read_metaimage
from sammed_volumes.nifti import read_nifti
from sammed_volumes.nrrd import NrrdImage, read_nrrd, read_nrrd_image
from sammed_volumes.picture_folder import is_stack, numbered_slices
from sammed_volumes.picture_labels import PictureLabels, read_picture_labels
from sammed_volumes.segments import labels_of, merge_layers, segments_in, segments_of
from sammed_volumes.sidecar import RESAMPLED, is_resampled, read_sidecar
from sammed_volumes.suffixes import VOLUME_SUFFIXES, sidecar_path, suffix_of
from sammed_volumes.volume import Volume
from sammed_volumes.whole_numbers import whole_numbers

_PICTURES = ("PNG", "JPEG", "TIFF")
_READERS = {
    "NRRD": read_nrrd,
    "MetaImage": read_metaimage,
    **dict.fromkeys(_PICTURES, read_picture),
}


def read_image(path: Path, spacing_mm: Spacing | None = None) -> Volume:
    """Read a file, or a folder of numbered pictures; `spacing_mm` is that of pictures, X, Y, Z."""
    if path.is_dir():
        return _spaced(read_stack(numbered_slices(path), path), spacing_mm)
    header_path = _header_of(path)
    content, note = _identify(header_path)
    volume = _read(header_path, content, note is not None)
    volume = replace(volume, path=path, notes=(*((note,) if note else ()), *volume.notes))
    if content.kind in _PICTURES:
        return _spaced(volume, spacing_mm)
    check_unspaced(spacing_mm)
    return volume


def check_unspaced(spacing_mm: Spacing | None) -> None:
    """Raise UnsupportedVolumeError for a spacing of a file that states its own."""
    if spacing_mm is not None:
        raise UnsupportedVolumeError("it states its own spacing; use --spacing for pictures only")


def spacings_of(spacing_mm: Spacing | None, *paths: Path) -> tuple[Spacing | None, ...]:
    """Return the spacing that each path is read with: only pictures take the one that the user states.

    If none is of pictures, all take it, so that reading refuses it in a sentence.
    """
    takes = [is_stack(path) or (path.is_file() and content_of(path).kind in _PICTURES) for path in paths]
    return tuple(spacing_mm if each or not any(takes) else None for each in takes)


def read_label_file(
    path: Path,
    *,
    flatten: bool,
    colors: bool = False,
    spacing_mm: Spacing | None = None,
    like: VoxelGrid | None = None,
) -> LabelVolume:
    """Read labels from a file, or a folder of numbered pictures, see `sammed_volumes.formats.read_labels`."""
    if path.is_dir():
        picture = read_picture_labels(numbered_slices(path), colors=colors)
        return _of_pictures(picture, path, spacing_mm, like)
    path = _header_of(path)
    content, note = _identify(path)
    notes = (note,) if note else ()
    if content.kind in _PICTURES:
        found = _of_pictures(read_picture_labels([path], colors=colors), path, spacing_mm, like)
    elif content.kind == "NRRD":
        check_unspaced(spacing_mm)
        found = _of_nrrd(read_nrrd_image(path), path, flatten)
    else:
        check_unspaced(spacing_mm)
        found = _of_volume(_read(path, content, note is not None), read_sidecar(sidecar_path(path)), path)
        found = replace(found, resampled=is_resampled(sidecar_path(path)))
    return replace(found, notes=(*notes, *found.notes))


def _header_of(path: Path) -> Path:
    """Return the header of an Analyze `.img`, which lies next to it, and any other path as it is."""
    if path.suffix.lower() != ".img":
        return path
    headers = [path.with_suffix(suffix) for suffix in (".hdr", ".HDR")]
    found = next((header for header in headers if header.is_file()), None)
    if found is None and path.is_file() and content_of(path).is_whole:
        return path
    if found is None:
        raise UnreadableVolumeError(f"its header should be in {headers[0]}, which is missing; put it there")
    return found


def _identify(path: Path) -> tuple[Content, str | None]:
    """Return a file's content, and a note if its suffix states another or nothing.

    Raises UnreadableVolumeError for another kind of file. Content of an unknown kind is as the suffix states,
    whose reader finds out what is wrong.
    """
    suffix, content = suffix_of(path), content_of(path)
    if not suffix:
        if content.is_whole:
            return content, suffix_note(path, str(content))
        raise UnsupportedVolumeError(_unknown_suffix(content))
    stated = Content(stated_kind(path), int(suffix == ".nii.gz"))
    if not content.kind or content.is_of(suffix) or (content.kind == "Analyze" and stated.kind == "NIfTI"):
        return stated, None
    if content.is_whole:
        return content, f"its suffix is {suffix}, but it is {content}{_uncompressed(content, stated)}"
    raise UnreadableVolumeError(f"it is {content}; {content.remedy}")


def suffix_note(path: Path, kind: str) -> str:
    """Return the note on a file whose suffix does not state that it is of this kind ("a DICOM file")."""
    return f"{f'its suffix is {path.suffix}' if path.suffix else 'it has no suffix'}, but it is {kind}"


def _uncompressed(content: Content, stated: Content) -> str:
    is_plain = stated.kind == content.kind and content.gzip_layers < stated.gzip_layers
    return " that is not compressed" if is_plain else ""


def _unknown_suffix(content: Content) -> str:
    fact = f"its suffix is not one of {', '.join(VOLUME_SUFFIXES)}"
    if content.kind:
        return f"{fact}, and it is {content}; {content.remedy}"
    return f"{fact}; rename or convert it"


def _read(path: Path, content: Content, is_other: bool) -> Volume:
    reader = _READERS.get(content.kind)
    if reader is not None:
        return reader(path)
    return read_nifti(path, content.gzip_layers if is_other else None)


def _spaced(volume: Volume, spacing_mm: Spacing | None, *, is_stated: bool | None = None) -> Volume:
    """Return pictures with the spacing of the user, and a note if they state another one."""
    if spacing_mm is None:
        return volume
    if is_stated is None:
        is_stated = volume.shape[2] > 1 and NO_SPACING not in volume.notes
    notes = tuple(note for note in volume.notes if note != NO_SPACING)
    if is_stated and not np.allclose(volume.spacing_mm, spacing_mm, rtol=1e-3):
        stated, used = (" x ".join(f"{mm:.4g}" for mm in each) for each in (volume.spacing_mm, spacing_mm))
        notes += (f"it states a spacing of {stated} mm, but --spacing is {used} mm; the latter is used",)
    return replace(volume, affine_ras_mm=picture_affine(spacing_mm), notes=notes)


def _of_pictures(
    picture: PictureLabels, path: Path, spacing_mm: Spacing | None, like: VoxelGrid | None
) -> LabelVolume:
    """Labels of pictures without a spacing of their own have that of the image `like`, if that fits."""
    volume = picture.volume
    if spacing_mm is not None:
        volume = _spaced(volume, spacing_mm, is_stated=picture.has_spacing)
    elif not picture.has_spacing and _is_unspaced(like, volume.shape):
        assert like is not None
        volume = replace(volume, affine_ras_mm=like.affine_ras_mm)
    named = read_sidecar(sidecar_path(path)) or picture.named
    found = _of_volume(volume, named, path)
    return replace(found, resampled=is_resampled(sidecar_path(path)))


def _is_unspaced(like: VoxelGrid | None, shape: tuple[int, ...]) -> bool:
    return like is not None and like.shape == shape and is_of_pictures(like.affine_ras_mm)


def _of_nrrd(image: NrrdImage, path: Path, flatten: bool) -> LabelVolume:
    segments, resampled = segments_of(image.pairs), RESAMPLED in image.pairs
    if image.list_axis is not None:
        layers = np.moveaxis(image.voxels, image.list_axis, 0)  # L X Y Z
        declared = segments or (segments_in(layers) if image.list_axis == 0 else ())
        if declared:
            voxels, named = merge_layers(layers, declared, flatten=flatten)
            labels = complete_labels(voxels, named)
            return LabelVolume(voxels, image.affine_ras_mm, labels, path, resampled=resampled)
    named = labels_of(segments) or read_sidecar(sidecar_path(path))
    return replace(_of_volume(image.as_volume(path), named, path), resampled=resampled)


def _of_volume(volume: Volume, named: Sequence[Label], path: Path) -> LabelVolume:
    voxels, notes = whole_numbers(volume)
    labels = complete_labels(voxels, named)
    return LabelVolume(
        voxels, volume.affine_ras_mm, labels, path, volume.is_placed, notes=(*volume.notes, *notes)
    )
