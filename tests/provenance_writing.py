"""Provenance for label volumes that tests wrote by other means."""

from pathlib import Path

from sammed.storage.provenance import Provenance, provenance_beside


def write_provenance(label: Path, provenance: Provenance, *, overwrite: bool = False) -> Path:
    with provenance_beside(label, provenance, overwrite=overwrite) as path:
        return path
