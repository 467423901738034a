"""Labeled: a label volume, the scan that it belongs to, and what is known about it."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np
from jaxtyping import UInt

from sammed.embeddings.scan import Scan
from sammed.reports.overlay import overlay_png
from sammed.storage.fingerprint import image_digest
from sammed.storage.provenance import Provenance, check_label_free, provenance_beside
from sammed_volumes.dicom.codes import NamedCode, named_codes
from sammed_volumes.formats import write_labels
from sammed_volumes.labels import LabelVolume
from sammed_volumes.volume import Volume


@dataclass(frozen=True, slots=True, eq=False)
class Labeled:
    """The labels of a scan, on the grid of its volume.

    `method` made them, as in "sam_auto/sap" or "interpolation/mean". `estimates` are its own estimate of each
    label's Dice, by value: 0..1, None unknown. `annotated` are the array indices, along the slice axis, of
    the slices that were annotated in this very volume; they keep the annotator's masks. `skill_digest` and
    `backbone` name what was used, if anything was.
    """

    scan: Scan
    labels: LabelVolume
    method: str
    annotated: tuple[int, ...]
    estimates: Mapping[int, float | None]
    skill_digest: str | None = None
    backbone: str | None = None

    @property
    def volume(self) -> Volume:
        """The volume that was labeled."""
        return self.scan.volume

    @property
    def axis(self) -> int:
        """The array axis that slices are counted along."""
        return self.scan.slicing.axis

    @property
    def scores(self) -> dict[str, float]:
        """The estimate of each label by name, where there is one."""
        return {
            label.name: score
            for label in self.labels.labels
            if (score := self.estimates[label.value]) is not None
        }

    @property
    def stack(self) -> UInt[np.ndarray, "S H W"]:
        """The labels as slices in the canonical pose; a view."""
        return self.scan.slicing.to_stack(self.labels.voxels)

    def provenance(self, image_file: str, image_sha256: str) -> Provenance:
        """Return where these labels come from."""
        return Provenance(
            image_file=image_file,
            image_sha256=image_sha256,
            origin="pseudo",
            axis=self.axis,
            annotated_slices=self.annotated,
            method=self.method,
            skill_digest=self.skill_digest,
            backbone=self.backbone,
            scores=self.scores,
            missing_slices=self.volume.missing_slices,
        )

    def save(
        self,
        path: str | PathLike[str],
        *,
        codes: Mapping[str, str] | Iterable[NamedCode] = (),
        overwrite: bool = False,
    ) -> Path:
        """Write the label volume, with its provenance in a file next to it; return the path.

        The file's ending chooses the format. `codes` are those of structures in a DICOM file by name, such as
        {"liver": "T-62000"}. Raises LabelError for a code that is none, OutputError where a file exists
        (unless `overwrite`) or can't be written.
        """
        place, image = Path(path), self.volume.path
        check_label_free(place, overwrite=overwrite)
        name, digest = ("", self.scan.digest) if image is None else (image.name, image_digest(image))
        provenance = self.provenance(name, digest)
        details = provenance.label_details(named_codes(codes))
        # Without their provenance, labels would look like an annotator's.
        with provenance_beside(place, provenance, overwrite=True):
            write_labels(self.labels, place, like=self.volume, overwrite=overwrite, details=details)
        return place

    def _repr_html_(self) -> str:
        """The overlay, for a notebook."""
        picture = base64.b64encode(self.overlay()).decode("ascii")
        return f'<img alt="Labels on slices of the volume" src="data:image/png;base64,{picture}">'

    def overlay(self) -> bytes:
        """Return a PNG of the labels on their slices; annotated slices are framed."""
        slicing = self.scan.slicing
        return overlay_png(
            np.stack([self.scan.image(index) for index in range(slicing.count)]),
            self.stack,
            labels=self.labels.labels,
            slicing=slicing,
            annotated=[slicing.stack_index(index) for index in self.annotated],
        )
