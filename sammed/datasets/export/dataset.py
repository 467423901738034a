"""The files of a data set, the same for every format: images, labels in one numbering, the manifest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool

from sammed.datasets.export.cases import Case, case_names
from sammed.datasets.export.images import choose_ending, write_image
from sammed.datasets.export.label_table import LabelTable, number_labels
from sammed.datasets.export.origins import CaseRecord
from sammed.errors import ExportError
from sammed.storage.fingerprint import image_digest, sha256_of
from sammed_volumes.formats import read_labels, read_volume, write_labels
from sammed_volumes.intensity import is_ct
from sammed_volumes.labels import Label, LabelVolume, default_color
from sammed_volumes.placing import labels_on
from sammed_volumes.slices import plan_slices
from sammed_volumes.volume import Volume

_COLORS = ("red", "green", "blue")


@dataclass(frozen=True, slots=True)
class DataSet:
    """What was written and where; `notes` are sentences that a user should read."""

    folder: Path
    training: int
    testing: int
    labels: dict[str, int]
    file_ending: str
    folds: int
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, object]:
        """The object that `sammed export --json` prints."""
        return {
            "folder": str(self.folder),
            "training": self.training,
            "testing": self.testing,
            "labels": self.labels,
            "file_ending": self.file_ending,
            "folds": self.folds,
            "notes": list(self.notes),
        }


@dataclass(frozen=True, slots=True)
class Contents:
    """The cases of a data set that is being written, all its label values, and its files' ending."""

    records: tuple[CaseRecord, ...]
    labels: dict[str, int]
    file_ending: str

    @property
    def training(self) -> tuple[CaseRecord, ...]:
        """The cases with labels."""
        return tuple(record for record in self.records if record.is_training)

    @property
    def testing(self) -> tuple[CaseRecord, ...]:
        """The cases without labels."""
        return tuple(record for record in self.records if not record.is_training)

    def notes(self) -> tuple[str, ...]:
        """A sentence for each label volume whose provenance names another image."""
        return tuple(
            f"{record.case.label} was made for another image than {record.case.image}: its provenance has "
            "another sha256."
            for record in self.records
            if record.case.provenance is not None
            and record.case.provenance.image_sha256 != record.image_sha256
        )


def write_contents(
    folder: Path, cases: Sequence[Case], *, file_ending: str | None, number_channels: bool
) -> Contents:
    """Write `imagesTr`, `labelsTr` and `imagesTs` into `folder`; nothing else is decided here.

    `number_channels` puts "_0000" after the name of an image that has one channel, as nnU-Net wants it.
    Raises ExportError for cases that don't fit together, VolumeError for files that can't be read.
    """
    labeled = [case for case in cases if case.label is not None]
    if not labeled:
        raise ExportError("No case has labels, so there is nothing to train on.")
    table = number_labels([case.labels or read_labels(_label(case)).labels for case in labeled])
    ending = choose_ending(cases, file_ending)
    for name in ("imagesTr", "labelsTr", "imagesTs"):
        (folder / name).mkdir()
    records, place = [], 0
    for name, case in zip(case_names(cases), cases, strict=True):
        writer = _CaseWriter(folder, name, case, ending, number_channels)
        records.append(writer.write(table, place if case.label is not None else None))
        place += case.label is not None
    ignore = any(record.ignored_slices for record in records)
    return Contents(tuple(records), table.numbering(ignore=ignore), ending)


def channel_names(records: Sequence[CaseRecord], modality: str | None) -> dict[str, str]:
    """Names of the channels by number: `modality` if said, else what the images say of themselves.

    nnU-Net normalizes "CT" by the data set's HU and anything else image by image. Raises ExportError where
    the images differ in their channels, or some are CT and others not.
    """
    counts = {len(record.image_files) for record in records}
    if len(counts) > 1:
        raise ExportError("Some images are gray and others in color; a data set takes one kind.")
    if counts == {len(_COLORS)}:
        return {str(channel): name for channel, name in enumerate(_COLORS)}
    if modality is not None:
        return {"0": modality}
    found = {record.modality for record in records}
    if "CT" in found and len(found) > 1:
        other = next(record.case.image for record in records if record.modality != "CT")
        raise ExportError(f"Some images look like CT and others, such as {other}, don't; say the modality.")
    return {"0": next(iter(found)) or "image" if len(found) == 1 else "image"}


def _label(case: Case) -> Path:
    assert case.label is not None  # the caller has looked
    return case.label


@dataclass(frozen=True, slots=True)
class _CaseWriter:
    folder: Path
    name: str
    case: Case
    ending: str
    number_channels: bool

    def write(self, table: LabelTable, place: int | None) -> CaseRecord:
        """Write image and labels; `place` is the label volume's place in the table, None for a test case."""
        volume = read_volume(self.case.image)
        images = self._image_files(volume, "imagesTs" if place is None else "imagesTr")
        write_image(volume, self.case.image, [self.folder / file for file in images])
        digest = image_digest(self.case.image)
        modality = "CT" if is_ct(volume) else volume.modality
        if place is None:
            return CaseRecord(self.name, self.case, images, digest, None, None, (), None, 0, modality)
        label = f"labelsTr/{self.name}{self.ending}"
        axis, ignored = self._write_labels(volume, self.folder / images[0], self.folder / label, table, place)
        values = tuple(sorted(table.values[place].items()))
        label_digest = sha256_of(_label(self.case))
        return CaseRecord(
            self.name, self.case, images, digest, label, label_digest, values, axis, ignored, modality
        )

    def _image_files(self, volume: Volume, folder: str) -> tuple[str, ...]:
        if not (volume.is_color or self.number_channels):
            return (f"{folder}/{self.name}{self.ending}",)
        channels = len(_COLORS) if volume.is_color else 1
        return tuple(f"{folder}/{self.name}_{channel:04d}{self.ending}" for channel in range(channels))

    def _write_labels(
        self, volume: Volume, image: Path, path: Path, table: LabelTable, place: int
    ) -> tuple[int, int]:
        """Write the label volume on the grid of the image as it was written; the axis and slices ignored."""
        source = labels_on(volume, read_labels(_label(self.case)))
        voxels = table.renumber(place, source.voxels)
        axis = plan_slices(source.shape, source.affine_ras_mm, self.case.axis).axis
        unknown = _unknown(volume, source, self.case, axis)
        voxels[unknown] = table.ignore_value
        ignored = int(np.moveaxis(unknown, axis, 0).any(axis=(1, 2)).sum())
        named = tuple(
            Label(value, name, default_color(value))
            for name, value in table.numbering(ignore=ignored > 0).items()
            if value > 0
        )
        # Reading the image back gives the labels its very header, whatever the source's format was.
        written = write_labels(
            LabelVolume(voxels, volume.affine_ras_mm, named), path, like=read_volume(image)
        )
        for sidecar in written[1:]:
            sidecar.unlink()  # the names are in the data set's own files
        return axis, ignored


def _unknown(volume: Volume, source: LabelVolume, case: Case, axis: int) -> Bool[np.ndarray, "X Y Z"]:
    """Where nobody knows the label: slices that nobody labeled, and what the case ignores."""
    unknown = np.zeros(source.shape, dtype=bool)
    if case.origin == "gold" and case.annotated_slices is not None:
        np.moveaxis(unknown, axis, 0)[_not_annotated(case, axis, source.shape[axis])] = True  # a view
    if case.ignore_value is not None:
        unknown |= source.voxels == case.ignore_value
    if case.ignore is not None:
        ignored = labels_on(volume, read_labels(case.ignore))
        unknown |= ignored.voxels > 0
    return unknown


def _not_annotated(case: Case, axis: int, count: int) -> Bool[np.ndarray, " S"]:
    """Which slices a person did not mark."""
    annotated = case.annotated_slices or ()
    outside = [index for index in annotated if not 0 <= index < count]
    if outside or not annotated:
        what = f"slices {outside}, which it doesn't have" if outside else "no slice"
        raise ExportError(
            f"{case.label} is said to be annotated on {what}: axis {axis} has 0 to {count - 1}."
        )
    unknown = np.ones(count, dtype=bool)
    unknown[list(annotated)] = False
    return unknown
