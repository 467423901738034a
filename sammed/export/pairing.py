"""Which label volume belongs to which image, by the names in their folders."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from sammed.errors import ExportError
from sammed.export.cases import Case
from sammed.provenance import Origin, read_provenance
from sammed_volumes.formats import LABEL_SUFFIXES, VOLUME_SUFFIXES, read_labels, strip_suffix, suffix_of
from sammed_volumes.slices import plan_slices

# What may follow the image's name in the name of its label volume.
_LABEL_ENDINGS = ("_label", "_seg")


def gather_cases(
    images: Path,
    labels: Path | None,
    *,
    origin: Origin = "gold",
    marked_only: bool = False,
    axis: int | None = None,
    label_suffixes: Sequence[str] = LABEL_SUFFIXES,
    complete: bool = True,
) -> tuple[Case, ...]:
    """Pair the images and label volumes of two folders (or of one, or two files) by name, in order of name.

    `scan.nii.gz` belongs to `scan.nii.gz`, `scan_label.*` or `scan_seg.*` of any label format; a folder of
    that name among the images is a DICOM series. Folders below are gone through too: the labels of
    `sub/scan.nii.gz` lie in `sub`, as `auto-label` puts them, and the case is named `sub_scan`. Files of
    other kinds are passed over. Where `images` and `labels` are one folder, `*_label.*`, `*_seg.*` and
    `*.seg.nrrd` are the labels. With `labels` None all are test cases.

    A `*.provenance.json` beside a label volume says the origin, the annotated slices and the rest, and goes
    before `origin`. `marked_only` is for label volumes in which a person marked only some slices: the slices
    along `axis` that hold a label are annotated, all others unknown. `label_suffixes` are the endings that
    labels may have; with `complete` False an image may be without labels.

    Raises ExportError, with a list, for files without a partner; for an image with two label volumes, two
    images that would be one case, and where there is no image.
    """
    if labels is None:
        pictures = _by_place(files_below(images, VOLUME_SUFFIXES), images)
        return tuple(Case(image, None, name=_name(place)) for place, image in _sorted(pictures, images))
    if images.is_file() and labels.is_file():
        return (_labelled(Case(images, labels, origin, axis), marked_only),)
    pictures, masks = _files(images, labels, label_suffixes)
    partners, alone = _pair(pictures, masks)
    found = _sorted(pictures, images) if pictures or not masks else []
    bare = [seen_from(image, images) for place, image in found if place not in partners]
    _check_complete(bare if complete else [], alone, images, labels)
    return tuple(
        _labelled(Case(image, partners.get(place), origin, axis, name=_name(place)), marked_only)
        for place, image in found
    )


def _files(images: Path, labels: Path, label_suffixes: Sequence[str]) -> tuple[dict[str, Path], _Masks]:
    """The images by their places below `images`, and the label volumes with those below `labels`."""
    shared = labels.is_dir() and _same_place(images, labels)
    image_files = files_below(images, VOLUME_SUFFIXES, without=None if shared else labels)
    mask_files = files_below(labels, label_suffixes, without=None if shared else images)
    if shared:
        image_files = [path for path in image_files if not _is_label_name(path)]
        mask_files = [path for path in mask_files if _is_label_name(path)]
    masks = _Masks(labels, {path: place_of(path, labels) for path in mask_files})
    pictures = _by_place(image_files, images)
    series = _series_folders(images, masks, pictures)
    inside = {place for place in pictures if any(place.startswith(f"{folder}/") for folder in series)}
    pictures = {place: path for place, path in pictures.items() if place not in inside}
    return pictures | series, masks


@dataclass(frozen=True, slots=True)
class _Masks:
    """Label volumes, each with its place below the folder `root`."""

    root: Path
    places: Mapping[Path, str]

def _case(image: Path, label: Path, origin: Origin, marked_only: bool, axis: int | None) -> Case:
    case = Case(image, label, origin, axis)
    if (written := read_provenance(label)) is not None:
        case = Case(image, label, written.origin, written.axis, written.annotated_slices, written)
    if marked_only and case.origin == "gold" and case.annotated_slices is None:
        axis, marked = _marked_slices(label, axis)
        case = replace(case, axis=axis, annotated_slices=marked)
    return case


def _marked_slices(label: Path, axis: int | None) -> tuple[int, tuple[int, ...]]:
    """The axis and the slices along it that hold any label."""
    volume = read_labels(label)
    axis = plan_slices(volume.shape, volume.affine_ras_mm, axis).axis
    others = tuple(other for other in range(3) if other != axis)
    return axis, tuple(int(index) for index in np.flatnonzero(volume.voxels.any(axis=others)))
