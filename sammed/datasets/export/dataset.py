"""The files of a data set, the same for every format: images, and labels in one numbering."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool

from sammed.datasets.export.images import choose_ending, write_image
from sammed.datasets.export.label_table import LabelTable, number_labels
from sammed.datasets.export.origins import CaseRecord
from sammed.datasets.labeled_sets.case_names import case_names
from sammed.datasets.labeled_sets.gathered import Gathered
from sammed.datasets.labeled_sets.labeled_set import Case
from sammed.errors import ExportError
from sammed.storage.fingerprint import image_digest, sha256_of
from sammed.storage.provenance import read_provenance
from sammed_volumes.formats import read_labels, read_volume, write_labels
from sammed_volumes.intensity import is_ct
from sammed_volumes.labels import Label, LabelVolume, default_color
from sammed_volumes.placing import labels_on
from sammed_volumes.slices import plan_slices
from sammed_volumes.volume import Volume

_COLORS = ("red", "green", "blue")


@dataclass(frozen=True, slots=True)
class DataSet:
    """What was written and where; `notes` are sentences for the user."""

    folder: Path
    training: int
    testing: int
    labels: dict[str, int]
    file_ending: str
    folds: int
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, object]:
        """Return the object that `sammed export --json` prints."""
        return {**asdict(self), "folder": str(self.folder)}


@dataclass(frozen=True, slots=True)
class Contents:
    """The cases of a data set, all its label values, and the ending of its files."""

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

    def data_set(self, folder: Path, folds: int, notes: Sequence[str]) -> DataSet:
        """Return the summary of what was written; `notes` are added to the contents' own."""
        return DataSet(
            folder,
            len(self.training),
            len(self.testing),
            self.labels,
            self.file_ending,
            folds,
            (*self._notes(), *notes),
        )

    def _notes(self) -> tuple[str, ...]:
        """Return a sentence for each label volume whose provenance names another image."""
        return tuple(
            f"{record.case.labels} was made for another image than {record.case.image}: its provenance has "
            "another sha256."
            for record in self.records
            if record.provenance is not None and record.provenance.image_sha256 != record.image_sha256
        )


def write_contents(
    folder: Path, gathered: Gathered, *, file_ending: str | None, number_channels: bool
) -> Contents:
    """Write `imagesTr`, `labelsTr` and `imagesTs` into `folder`.

    `number_channels` appends "_0000" to the name of an image with one channel, as nnU-Net requires. Raises
    ExportError for cases that do not fit together, VolumeError for files that can't be read.
    """
    cases = gathered.cases
    volumes = [(case.reading, case.labels) for case in cases if case.labels is not None]
    if not volumes:
        raise ExportError("No case has labels, so there is nothing to train on; label cases first.")
    table = number_labels([gathered.labels or reading.read(path).labels for reading, path in volumes])
    ending = choose_ending(cases, file_ending)
    for name in ("imagesTr", "labelsTr", "imagesTs"):
        (folder / name).mkdir()
    records, place = [], 0
    for name, case in zip(case_names(case.name for case in cases), cases, strict=True):
        writer = _CaseWriter(folder, name, case, ending, number_channels, gathered.ignore_value)
        records.append(writer.write(table, place if case.is_labeled else None))
        place += case.is_labeled
    ignore = any(record.ignored_slices for record in records)
    return Contents(tuple(records), table.numbering(ignore=ignore), ending)


def channel_names(records: Sequence[CaseRecord], modality: str | None) -> dict[str, str]:
    """Return the names of the channels by number: `modality` if given, else what the images suggest.

    nnU-Net normalizes "CT" by HU of the whole data set and anything else image by image. Raises ExportError
    where images differ in their channels, or where only some are CT.
    """
    counts = {len(record.image_files) for record in records}
    if len(counts) > 1:
        raise ExportError("Some images are gray and others in color; a data set needs one kind.")
    if counts == {len(_COLORS)}:
        return {str(channel): name for channel, name in enumerate(_COLORS)}
    if modality is not None:
        return {"0": modality}
    found = {record.modality for record in records}
    if "CT" in found and len(found) > 1:
        other = next(record.case.image for record in records if record.modality != "CT")
        raise ExportError(
            f"Some images look like CT and others, such as {other}, don't; specify the modality."
        )
    return {"0": next(iter(found)) or "image" if len(found) == 1 else "image"}


@dataclass(frozen=True, slots=True)
class _CaseWriter:
    folder: Path
    name: str
    case: Case
    ending: str
    number_channels: bool
    ignore_value: int | None

    def write(self, table: LabelTable, place: int | None) -> CaseRecord:
        """Write image and labels; `place` is the label volume's row of the table, None for a test case."""
        volume = read_volume(self.case.image)
        images = self._image_files(volume, "imagesTs" if place is None else "imagesTr")
        write_image(volume, self.case.image, [self.folder / file for file in images])
        digest = image_digest(self.case.image)
        modality = "CT" if is_ct(volume) else volume.modality
        if place is None or self.case.labels is None:
            return CaseRecord(self.name, self.case, images, digest, None, None, (), None, 0, modality)
        label = f"labelsTr/{self.name}{self.ending}"
        source = self.case.reading.read_on(volume, self.case.labels)
        axis = plan_slices(source.shape, source.affine_ras_mm, self.case.axis).axis
        unknown = _unknown(volume, source, self.case, self.ignore_value, axis)
        ignored = int(np.moveaxis(unknown, axis, 0).any(axis=(1, 2)).sum())
        voxels = table.renumber(place, source.voxels)
        voxels[unknown] = table.ignore_value
        labels = LabelVolume(voxels, volume.affine_ras_mm, _named(table, ignore=ignored > 0))
        like = read_volume(self.folder / images[0])  # its header is the written file's
        for sidecar in write_labels(labels, self.folder / label, like=like)[1:]:
            sidecar.unlink()  # the names are in the data set's own files
        return CaseRecord(
            self.name,
            self.case,
            images,
            digest,
            label,
            sha256_of(self.case.labels),
            tuple(sorted(table.values[place].items())),
            axis,
            ignored,
            modality,
            read_provenance(self.case.labels),
            source.resampled,
        )

    def _image_files(self, volume: Volume, folder: str) -> tuple[str, ...]:
        if not (volume.is_color or self.number_channels):
            return (f"{folder}/{self.name}{self.ending}",)
        channels = len(_COLORS) if volume.is_color else 1
        return tuple(f"{folder}/{self.name}_{channel:04d}{self.ending}" for channel in range(channels))


def _named(table: LabelTable, *, ignore: bool) -> tuple[Label, ...]:
    numbers = table.numbering(ignore=ignore).items()
    return tuple(Label(value, name, default_color(value)) for name, value in numbers if value > 0)


def _unknown(
    volume: Volume, source: LabelVolume, case: Case, ignore_value: int | None, axis: int
) -> Bool[np.ndarray, "X Y Z"]:
    """Return where the label is unknown: slices that nobody labeled, and what the case ignores."""
    unknown = np.zeros(source.shape, dtype=bool)
    if case.is_partial:
        np.moveaxis(unknown, axis, 0)[_not_annotated(case, axis, source.shape[axis])] = True  # a view
    if ignore_value is not None:
        unknown |= source.voxels == ignore_value
    if case.ignore is not None:
        ignored = labels_on(volume, read_labels(case.ignore))
        unknown |= ignored.voxels > 0
    return unknown


def _not_annotated(case: Case, axis: int, count: int) -> Bool[np.ndarray, " S"]:
    """Return which slices the annotator did not mark."""
    annotated = case.annotated_slices or ()
    outside = [index for index in annotated if not 0 <= index < count]
    if outside or not annotated:
        what = f"slices {outside}, which it does not have" if outside else "no slice"
        raise ExportError(f"{case.labels} lists as annotated {what}: axis {axis} has 0 to {count - 1}.")
    unknown = np.ones(count, dtype=bool)
    unknown[list(annotated)] = False
    return unknown
