"""Details: what DICOM files of labels state beside the labels."""

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from sammed_volumes.dicom.codes import NamedCode

Algorithm: TypeAlias = Literal["MANUAL", "SEMIAUTOMATIC", "AUTOMATIC"]


@dataclass(frozen=True, slots=True)
class LabelDetails:
    """Who or what made the labels, and codes of structures by name.

    `algorithm` is DICOM's word; `version` is that of sammed, the algorithm.
    """

    algorithm: Algorithm = "SEMIAUTOMATIC"
    version: str = ""
    codes: tuple[NamedCode, ...] = ()


SERIES_NUMBER = 9000
"""The number of the series of labels, above those of most scans."""

UTF_8 = "ISO_IR 192"
"""The character set of all text, so that names in any script can be written."""

PRIVATE_GROUP, PRIVATE_CREATOR = 0x0073, "sammed"
"""Where sammed notes what a file has no place for: the grid of the series, and the values of the labels."""


def noted(file: Any, element: int) -> Any:
    """The value of a private element of sammed's, None where there is none."""
    try:
        return file.private_block(PRIVATE_GROUP, PRIVATE_CREATOR)[element].value
    except KeyError:
        return None
