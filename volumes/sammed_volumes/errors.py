"""The errors of sammed_volumes, one tree.

VolumeError                    a file, a grid or a request about it is not usable; also a ValueError
    UnreadableVolumeError      the file is missing, empty, cut short, or not an image
    UnsupportedVolumeError     a complete image, but not one volume of plain numbers (4-D, RGB, complex)
    SeriesError                a DICOM folder is not one evenly spaced series
    AffineError                the affine does not place voxels in space (singular, not finite)
    GeometryMismatchError      two arrays that should share a grid don't
    LabelError                 label values or names are not usable
    WindowError                an intensity window is not valid
    OutputError                a file can't be written, or already exists

Every message is a sentence that a user can act on: which file, what is wrong, what to do.
"""


class VolumeError(ValueError):
    """The base of all errors that sammed_volumes raises on purpose."""


class UnreadableVolumeError(VolumeError):
    """The file is missing, empty, cut short, or not an image."""


class UnsupportedVolumeError(VolumeError):
    """A complete image, but not one volume of plain numbers."""


class SeriesError(VolumeError):
    """A DICOM folder is not one evenly spaced series."""


class AffineError(VolumeError):
    """The affine does not place voxels in space."""


class GeometryMismatchError(VolumeError):
    """Two arrays that should share a grid don't; `details` are their shapes and affines, for developers."""

    def __init__(self, message: str, details: str = "") -> None:
        super().__init__(message)
        self.details = details


class LabelError(VolumeError):
    """Label values or names are not usable."""


class WindowError(VolumeError):
    """An intensity window is not valid."""


class OutputError(VolumeError):
    """A file can't be written, or already exists."""
