"""Which label volume belongs to which image, by the names in their folders."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import get_args

import numpy as np

from sammed.datasets.labeled_sets.label_reading import AS_THEY_ARE, LabelReading
from sammed.datasets.labeled_sets.labeled_set import Case
from sammed.datasets.labeled_sets.tree import Placed, files_below
from sammed.errors import ConfigError, ExportError
from sammed.storage.provenance import Origin, read_provenance
from sammed_volumes.errors import VolumeError
from sammed_volumes.formats import (
    LABEL_SUFFIXES,
    VOLUME_SUFFIXES,
    read_volume,
    strip_suffix,
    suffix_of,
)
from sammed_volumes.placing import fit
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
    reading: LabelReading = AS_THEY_ARE,
) -> tuple[Case, ...]:
    """Pair the images and label volumes of one or two folders, or of two files, by name, in order of name.

    `scan.nii.gz` belongs to `scan.nii.gz`, `scan_label.*` or `scan_seg.*` of any label format; a folder of
    that name among the images is a DICOM series. Subfolders are searched too: the labels of
    `ward/scan.nii.gz` are in `ward` as well, where `auto-label` writes them. Other files are skipped, and so
    are labels next to an image where `labels` is another folder. Where `images` and `labels` are one folder,
    `*_label.*`, `*_seg.*` and `*.seg.nrrd` are the labels. With `labels` None all are test cases.

    A `*.provenance.json` next to a label volume states its origin and annotated slices, and overrides
    `origin`. `marked_only` is for label volumes whose annotator marked only some slices: the slices along
    `axis` that hold a label are annotated, all others unknown. `label_suffixes` are the endings that labels
    may have; with `complete` False an image may lack labels. `reading` is how the labels are read.

    Raises ConfigError for an unknown `origin`; ExportError where there is no image, for files without a
    partner (it lists them), for an image with two label volumes, and for two images whose cases would have
    one name.
    """
    if origin not in get_args(Origin):
        raise ConfigError(f"The origin of a label is gold or pseudo, not {origin!r}.")
    if labels is None:
        return tuple(Case(name, image.path) for name, image in _named(_images(images), images))
    if images.is_file() and labels.is_file():
        case = Case(_case_name(strip_suffix(images)), images, reading=reading)
        return (_with_labels(case, labels, origin, marked_only, axis),)
    pictures, masks = _files(images, labels, label_suffixes)
    partners, alone = _pair({picture.place: picture for picture in pictures}, masks)
    bare = [picture.seen for picture in pictures if picture.place not in partners]
    _check_complete(bare if complete else [], alone, images, labels)
    cases = []
    for name, picture in _named(pictures, images):
        case, mask = Case(name, picture.path, reading=reading), partners.get(picture.place)
        cases.append(case if mask is None else _with_labels(case, mask.path, origin, marked_only, axis))
    return tuple(cases)


def _images(place: Path, without: Path | None = None) -> list[Placed]:
    """Return the volumes except labels of one of them, which `auto-label` writes next to an image."""
    found = files_below(place, VOLUME_SUFFIXES, without=without)
    places = {each.place for each in found}
    return [each for each in found if not places.intersection(_image_places(each)) - {each.place}]


def _files(images: Path, labels: Path, label_suffixes: Sequence[str]) -> tuple[list[Placed], list[Placed]]:
    """Return images, including DICOM series, and label volumes; neither is searched in the other's folder."""
    if labels.is_dir() and images.resolve() == labels.resolve():
        pictures = [image for image in _images(images) if not _is_label_name(image)]
        masks = [mask for mask in files_below(labels, label_suffixes) if _is_label_name(mask)]
    else:
        pictures = _images(images, without=labels)
        masks = files_below(labels, label_suffixes, without=images)
    series = _series_folders(images, pictures, masks)
    folders = [f"{each.place}/" for each in series]
    pictures = [each for each in pictures if not each.place.startswith(tuple(folders))]
    return [*pictures, *series], masks


def _series_folders(images: Path, pictures: Iterable[Placed], masks: Iterable[Placed]) -> list[Placed]:
    """Return folders among the images that have a label volume while their contents have none."""
    wanted = {place for mask in masks for place in _image_places(mask)}
    wanted_in = {str(parent) for place in wanted for parent in PurePosixPath(place).parents}
    places = sorted(wanted - wanted_in - {picture.place for picture in pictures})
    return [Placed(images / place, place) for place in places if (images / place).is_dir()]


def _is_label_name(file: Placed) -> bool:
    return suffix_of(file.path) == ".seg.nrrd" or file.place.endswith(_LABEL_ENDINGS)


def _named(images: Iterable[Placed], root: Path) -> list[tuple[str, Placed]]:
    """Return the images with the names of their cases: their places, with "_" for slashes."""
    found: dict[str, Placed] = {}
    for image in sorted(images, key=lambda each: each.place):
        name = _case_name(image.place)
        if name in found:
            raise ExportError(
                f"{found[name].path} and {image.path} both have the case name {name}; rename one."
            )
        found[name] = image
    if not found:
        raise ExportError(f"{root} holds no image: no file that ends in {', '.join(VOLUME_SUFFIXES)}.")
    return list(found.items())


def _case_name(place: str) -> str:
    return place.replace("/", "_").lstrip(".") or "case"


def _image_places(label: Placed) -> Iterator[str]:
    """Yield the possible places of a label volume's image, the likeliest first."""
    yield label.place
    for ending in _LABEL_ENDINGS:
        if label.place.endswith(ending):
            yield label.place.removesuffix(ending)


def _pair(pictures: Mapping[str, Placed], masks: Sequence[Placed]) -> tuple[dict[str, Placed], list[str]]:
    """Return the label volume of each image, by the image's place, and the label volumes without an image."""
    partners: dict[str, Placed] = {}
    alone = []
    for mask in masks:
        place = next((place for place in _image_places(mask) if place in pictures), None)
        if place is None:
            alone.append(mask.seen)
        elif place in partners:
            both = f"{partners[place].path.name} and {mask.path.name}"
            raise ExportError(f"{pictures[place].path} has two label volumes, {both}; keep one of them.")
        else:
            partners[place] = mask
    return partners, alone


def _check_complete(bare: Sequence[str], alone: Sequence[str], images: Path, labels: Path) -> None:
    facts = []
    if bare:
        facts.append(f"images in {images} without labels: {', '.join(bare)}")
    if alone:
        facts.append(f"labels in {labels} without an image: {', '.join(alone)}")
    if facts:
        raise ExportError(
            f"Some files have no partner; {'; '.join(facts)}. A label volume has the name of its image, "
            "with _label or _seg after it or not, and is in a folder of the same name; rename or move the "
            "others."
        )


def _with_labels(case: Case, label: Path, origin: Origin, marked_only: bool, axis: int | None) -> Case:
    """Return the case with a label volume and what its provenance states."""
    case = replace(case, labels=label, origin=origin, axis=axis)
    if (written := read_provenance(label)) is not None:
        case = replace(
            case, origin=written.origin, axis=written.axis, annotated_slices=written.annotated_slices
        )
        if case.annotated_slices:
            case = _counted_in_image(case, label)
    if marked_only and case.is_gold and case.annotated_slices is None:
        axis, marked = _marked_slices(case, label, axis)
        case = replace(case, axis=axis, annotated_slices=marked)
    return case


def _counted_in_image(case: Case, label: Path) -> Case:
    """Return the case with annotated slices along the image's array; provenance counts along the labels'."""
    try:
        found = fit(read_volume(case.image).grid, case.reading.read(label))
    except VolumeError:
        return case  # reported when the case is written or checked
    if found.map is None and case.reading.resample:
        axis, annotated = _marked_slices(case, label, None)
        return replace(case, axis=axis, annotated_slices=annotated)
    if found.is_same or found.map is None or case.axis is None or case.annotated_slices is None:
        return case
    axis, annotated = found.map.slices(case.axis, case.annotated_slices)
    return replace(case, axis=axis, annotated_slices=annotated)


def _marked_slices(case: Case, label: Path, axis: int | None) -> tuple[int, tuple[int, ...]]:
    """Return the axis of the image and the slices along it that hold any label."""
    volume = case.reading.read(label)
    with suppress(VolumeError):  # reported when the case is written or checked
        volume = case.reading.read_on(read_volume(case.image), label)
    axis = plan_slices(volume.shape, volume.affine_ras_mm, axis).axis
    others = tuple(other for other in range(3) if other != axis)
    return axis, tuple(int(index) for index in np.flatnonzero(volume.voxels.any(axis=others)))
