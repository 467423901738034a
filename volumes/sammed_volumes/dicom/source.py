"""Sources of a DICOM volume: a folder, one of its files, an archive."""

from dataclasses import replace
from pathlib import Path

from sammed_volumes.dicom.archive import ARCHIVE_SUFFIX, unpacked
from sammed_volumes.dicom.series import read_file, read_series
from sammed_volumes.volume import DicomHeader, Volume


def read_dicom(path: Path, series: str | None = None, *, fill_gaps: bool = False) -> Volume:
    """Read a series from a folder, from the folder of one of its files, or from a zip archive."""
    if path.is_dir():
        return read_series(path, series, fill_gaps=fill_gaps)
    if path.suffix.lower() != ARCHIVE_SUFFIX:
        return read_file(path, series, fill_gaps=fill_gaps)
    with unpacked(path) as folder:
        volume = read_series(folder, series, fill_gaps=fill_gaps)
    return replace(volume, path=path, header=_in_archive(volume.header, path))


def _in_archive(header: object, archive: Path) -> DicomHeader:
    """The header with names in the archive in place of paths that are gone."""
    assert isinstance(header, DicomHeader)
    sources = [source and (Path(source[0].name), source[1]) for source in header.sources]
    return DicomHeader(tuple(sources), archive)
