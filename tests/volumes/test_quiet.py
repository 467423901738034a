"""Warnings of DICOM libraries are hidden while threads read, and are back when the last one is done."""

import logging
import warnings

import pytest

from sammed_volumes.dicom.headers import quiet_pydicom


def test_blocks_that_overlap_restore_what_was_there(caplog: pytest.LogCaptureFixture) -> None:
    """As with a thread that reads the next volume while this one is written."""
    filters, disabled = list(warnings.filters), logging.root.manager.disable
    first, second = quiet_pydicom(), quiet_pydicom()
    first.__enter__()
    second.__enter__()
    warnings.warn("hidden", stacklevel=1)
    first.__exit__(None, None, None)
    logging.getLogger("pydicom").warning("hidden too")
    second.__exit__(None, None, None)
    assert (list(warnings.filters), logging.root.manager.disable) == (filters, disabled)
    assert caplog.records == []
    with quiet_pydicom():
        warnings.warn("hidden again", stacklevel=1)
    assert list(warnings.filters) == filters
