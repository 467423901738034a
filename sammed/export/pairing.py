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
    that name among the images is a DICOM series. Files of other kinds are passed over. Where `images` and
    `labels` are one folder, `*_label.*`, `*_seg.*` and `*.seg.nrrd` are the labels. With `labels` None all
    are test cases.

    A `*.provenance.json` beside a label volume says the origin, the annotated slices and the rest, and goes
    before `origin`. `marked_only` is for label volumes in which a person marked only some slices: the slices
    along `axis` that hold a label are annotated, all others unknown. `label_suffixes` are the endings that
    labels may have; with `complete` False an image may be without labels.

    Raises ExportError, with a list, for files without a partner, and for an image with two label volumes.
    """
    if labels is None:
        return tuple(Case(image, None) for _, image in sorted(_by_name(_image_files(images)).items()))
    shared = labels if labels.is_dir() and _same_place(images, labels) else None
    pictures = _by_name(path for path in _image_files(images) if shared is None or not _is_label_name(path))
    masks = [path for path in _files(labels, label_suffixes) if shared is None or _is_label_name(path)]
    if images.is_file() and labels.is_file():
        return (_case(images, labels, origin, marked_only, axis),)
    pictures = {**_series_folders(images, masks), **pictures}
    partners, alone = _pair(pictures, masks)
    bare = [picture.name for name, picture in sorted(pictures.items()) if name not in partners]
    _check_complete(bare if complete else [], alone, images, labels)
    return tuple(
        _case(image, partners[name], origin, marked_only, axis) if name in partners else Case(image, None)
        for name, image in sorted(pictures.items())
    )


def _files(place: Path, suffixes: Iterable[str]) -> list[Path]:
    if place.is_file():
        return [place]
    if not place.is_dir():
        raise ExportError(f"There is no file or folder {place}.")
    kinds = set(suffixes)
    return sorted(
        path
        for path in place.iterdir()
        if path.is_file() and not path.name.startswith(".") and suffix_of(path) in kinds
    )


def _image_files(place: Path) -> list[Path]:
    return _files(place, VOLUME_SUFFIXES)


def _series_folders(images: Path, masks: Sequence[Path]) -> dict[str, Path]:
    """Folders among the images for which there is a label volume."""
    if not images.is_dir():
        return {}
    wanted = {name for path in masks for name in _image_names(path)}
    return {path.name: path for path in sorted(images.iterdir()) if path.is_dir() and path.name in wanted}


def _same_place(one: Path, other: Path) -> bool:
    return one.resolve() == other.resolve()


def _is_label_name(path: Path) -> bool:
    return suffix_of(path) == ".seg.nrrd" or strip_suffix(path).endswith(_LABEL_ENDINGS)


def _by_name(paths: Iterable[Path]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in paths:
        name = strip_suffix(path)
        if name in found:
            raise ExportError(f"{found[name]} and {path.name} are one case by their names; rename one.")
        found[name] = path
    return found


def _image_names(label: Path) -> Iterator[str]:
    """The names that the image of a label volume may have, the likeliest first."""
    stem = strip_suffix(label)
    yield stem
    for ending in _LABEL_ENDINGS:
        if stem.endswith(ending):
            yield stem.removesuffix(ending)


def _pair(pictures: Mapping[str, Path], masks: Sequence[Path]) -> tuple[dict[str, Path], list[str]]:
    """The label volume of each image, by the image's name, and the label volumes that belong to none."""
    partners: dict[str, Path] = {}
    alone = []
    for mask in masks:
        name = next((name for name in _image_names(mask) if name in pictures), None)
        if name is None:
            alone.append(mask.name)
        elif name in partners:
            both = f"{partners[name].name} and {mask.name}"
            raise ExportError(f"{pictures[name]} has two label volumes, {both}; keep one of them.")
        else:
            partners[name] = mask
    return partners, alone


def _check_complete(bare: Sequence[str], alone: Sequence[str], images: Path, labels: Path) -> None:
    facts = []
    if bare:
        facts.append(f"images in {images} without labels: {', '.join(bare)}")
    if alone:
        facts.append(f"labels in {labels} without an image: {', '.join(alone)}")
    if facts:
        raise ExportError(
            f"Not every file has its partner; {'; '.join(facts)}. A label volume has the name of its image, "
            "with _label or _seg after it or not; rename or move the others."
        )


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
