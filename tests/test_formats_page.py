"""docs/formats.md lists the suffixes that the code reads and writes."""

import re
from pathlib import Path

from sammed_volumes.formats import (
    CONTOURS_LABEL_SUFFIX,
    DICOM_LABEL_SUFFIX,
    LABEL_SUFFIXES,
    PICTURE_LABEL_SUFFIX,
    VOLUME_SUFFIXES,
    WRITTEN_SUFFIXES,
)

PAGE = Path(__file__).parents[1] / "docs/formats.md"
ROWS = {
    suffix: (images.strip(), labels.strip())
    for suffix, images, labels in re.findall(
        r"^\| `(\.[\w.]+)` \|[^|]*\|([^|]*)\|([^|]*)\|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE
    )
}


def test_the_suffixes_that_are_read() -> None:
    assert tuple(ROWS) == (*VOLUME_SUFFIXES, DICOM_LABEL_SUFFIX, CONTOURS_LABEL_SUFFIX)
    assert ROWS[CONTOURS_LABEL_SUFFIX][0] == ""
    assert all(images == "read" or suffix == CONTOURS_LABEL_SUFFIX for suffix, (images, _) in ROWS.items())
    assert all(labels.startswith("read") for _, labels in ROWS.values())


def test_the_suffixes_that_are_written() -> None:
    written = {suffix: labels for suffix, (_, labels) in ROWS.items() if "written" in labels}
    assert set(written) == set(WRITTEN_SUFFIXES)
    assert all(written[suffix] == "read, written" for suffix in LABEL_SUFFIXES)
    assert written[PICTURE_LABEL_SUFFIX] == "read, written for pictures"
    assert written[DICOM_LABEL_SUFFIX] == "read, written for DICOM series"
    assert written[CONTOURS_LABEL_SUFFIX] == "read, written for DICOM series"
