"""Errors of sammed_volumes, one tree.

VolumeError                    a file, a grid or a request about it is not usable; also a ValueError
    UnreadableVolumeError      the file is missing, empty, cut short, or no image
    UnsupportedVolumeError     a whole image, but not one volume of plain numbers (4-D, RGB, complex)
    SeriesError                a DICOM folder is not one evenly spaced series
    AffineError                the affine maps voxels onto no proper space (singular, not finite)
    GeometryMismatchError      two arrays that should share a grid don't
    LabelError                 label values or names are not usable
    WindowError                an intensity window can't be understood
    OutputError                a file can't be written, or exists already

Every message is one sentence or two that a user can act on: the file, what is wrong, what to do.
"""


class VolumeError(ValueError):
    """Base of everything that sammed_volumes raises on purpose."""


class UnreadableVolumeError(VolumeError):
    """The file is missing, empty, cut short, or no image."""


class UnsupportedVolumeError(VolumeError):
    """A whole image, but not one volume of plain numbers."""


class SeriesError(VolumeError):
    """A DICOM folder is not one evenly spaced series."""


class AffineError(VolumeError):
    """The affine maps voxels onto no proper space."""


class GeometryMismatchError(VolumeError):
    """Two arrays that should share a grid don't; `details` are their shapes and affines, for developers."""

    def __init__(self, message: str, details: str = "") -> None:
        super().__init__(message)
        self.details = details


class LabelError(VolumeError):
    """Label values or names are not usable."""


class WindowError(VolumeError):
    """An intensity window can't be understood."""


class OutputError(VolumeError):
    """A file can't be written, or exists already."""
