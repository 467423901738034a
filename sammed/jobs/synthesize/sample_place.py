"""Where synthetic images go: a folder of pictures, or a labeled set that also lists gold cases.

The window of the set maps values to 0..1. The images are PNG files if 8 bits hold the values of that window,
else volumes of one slice (.nii.gz), as for CT.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from sammed.datasets.labeled_sets.labeled_set import Case, LabeledSet
from sammed.datasets.labeled_sets.set_file import SET_FILE_NAME, write_set
from sammed.errors import SetError
from sammed.storage.outputs import make_folder
from sammed.version import __version__
from sammed_volumes.affine import swap_ras_lps
from sammed_volumes.atomic_file import atomic_file, check_free
from sammed_volumes.nifti import write_nifti


@dataclass(frozen=True, slots=True)
class SamplePlace:
    """A folder for samples; with `origin` it becomes a set with the gold cases of that set."""

    folder: Path
    origin: LabeledSet | None = None

    def prepare(self, count: int, *, overwrite: bool) -> None:
        """Make the folders. Raises OutputError if files exist, SetError for a set without gold."""
        if self.origin is not None and not self.origin.gold:
            raise SetError(f"The set in {self.origin.folder} has no gold case to learn labels from.")
        make_folder(self._images)
        for number in range(1, count + 1):
            check_free(self._path(number), overwrite=overwrite)
        if self.origin is not None:
            check_free(self.folder / SET_FILE_NAME, overwrite=overwrite)

    def write(
        self, number: int, image: Float[np.ndarray, "H W C"], model_digest: str, *, overwrite: bool
    ) -> Path:
        """Write one sample with values 0..1; the metadata of a PNG state what it is, and its model."""
        path = self._path(number)
        low, high = self._range
        values = low + image * (high - low)
        if self._is_png:
            _write_png(path, values, model_digest, overwrite=overwrite)
        else:
            _write_slice(path, values, overwrite=overwrite)
        return path

    def write_set(self, files: Sequence[Path], *, overwrite: bool) -> Path | None:
        """Write the manifest: the gold cases with their splits, the samples as unlabeled training cases."""
        if self.origin is None:
            return None
        gold = self.origin.keep(lambda case: case.is_gold).moved(self.folder)
        samples = [
            Case(f"synthetic-{number:04d}", path.absolute()) for number, path in enumerate(files, start=1)
        ]
        return write_set(gold.with_cases([*gold.cases, *samples]), overwrite=overwrite)

    @property
    def _images(self) -> Path:
        return self.folder if self.origin is None else self.folder / "images"

    @property
    def _range(self) -> tuple[float, float]:
        """The values that map to 0 and 1: those of 8 bits without a window, or with one in percentiles."""
        window = None if self.origin is None else self.origin.window
        return (0.0, 255.0) if window is None or window.unit == "percentile" else (window.low, window.high)

    @property
    def _is_png(self) -> bool:
        window = None if self.origin is None else self.origin.window
        low, high = self._range
        return (window is None or window.unit != "hu") and low >= 0 and high <= 255

    def _path(self, number: int) -> Path:
        return self._images / f"synthetic-{number:04d}{'.png' if self._is_png else '.nii.gz'}"


def _write_png(path: Path, values: Float[np.ndarray, "H W C"], digest: str, *, overwrite: bool) -> None:
    note = PngInfo()
    note.add_text("Description", "Synthetic image from a diffusion model; it shows no patient.")
    note.add_text("Software", f"sammed {__version__}")
    note.add_text("Source", f"diffusion model {digest}")
    pixels = values.round().astype(np.uint8)
    with atomic_file(path, ".png", overwrite=overwrite) as partial:
        Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(partial, pnginfo=note)


def _write_slice(path: Path, values: Float[np.ndarray, "H W C"], *, overwrite: bool) -> None:
    gray = values.mean(axis=2).astype(np.float32)
    with atomic_file(path, ".nii.gz", overwrite=overwrite) as partial:
        write_nifti(gray.T[:, :, np.newaxis], swap_ras_lps(np.eye(4)), partial, None)
