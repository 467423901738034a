"""A frame: one slice of a DICOM series, as the headers describe it; a file holds one frame or many.

A frame's position is that of its first pixel's center, in LPS millimeters; its height is the position along
the normal of its plane.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

Traits = tuple[tuple[str, str], ...]
"""Names and values of what may set two frames at one place apart, such as ("echo time", "4.6")."""


@dataclass(frozen=True, slots=True)
class DicomFrame:
    """The header of one slice. `shape` is columns, rows; `pixel_spacing_mm` goes across, then down.

    `index` counts the frames of the file from 0. Frames of a file with many have a `slope` and an
    `intercept`; those of single slices are ITK's to apply.
    """

    path: Path
    series: str
    number: str
    description: str
    modality: str
    shape: tuple[int, int]
    position_lps_mm: tuple[float, float, float]
    x_direction_lps: tuple[float, float, float]
    y_direction_lps: tuple[float, float, float]
    pixel_spacing_mm: tuple[float, float]
    thickness_mm: float
    index: int = 0
    is_of_many: bool = False
    slope: float = 1.0
    intercept: float = 0.0
    is_localizer: bool = False
    traits: Traits = ()

    @property
    def normal_lps(self) -> np.ndarray:
        """The direction at right angles to the slice."""
        return np.cross(self.x_direction_lps, self.y_direction_lps)

    @property
    def height_mm(self) -> float:
        """The position along the normal."""
        return float(np.dot(self.normal_lps, self.position_lps_mm))

    @property
    def plane(self) -> np.ndarray:
        """Directions and pixel spacing, eight numbers: what all slices of a stack share."""
        return np.concatenate([self.x_direction_lps, self.y_direction_lps, self.pixel_spacing_mm])

    @property
    def text(self) -> str:
        """The file, and the frame where the file holds many."""
        return f"{self.path.name}, frame {self.index + 1}" if self.is_of_many else self.path.name

    def trait(self, name: str) -> str:
        """The value of a trait, "" where the header has none."""
        return dict(self.traits).get(name, "")
