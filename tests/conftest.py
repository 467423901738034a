"""Fixtures for all tests. The volumes are synthetic, none is from a patient."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pytest

from sammed_volumes.labels import Label, LabelVolume
from sammed_volumes.volume import Volume

AXIS_CODES = {"R": (0, 1), "L": (0, -1), "A": (1, 1), "P": (1, -1), "S": (2, 1), "I": (2, -1)}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run slow tests first, so that with several workers none of them runs alone at the end."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@dataclass(frozen=True, slots=True, eq=False)
class Phantom:
    """A body with three organs, and its true labels.

    Values (CT): air -1000, body 0, lung -700, heart 150, tumor 400. Labels: 1 lung, 2 heart, 4 tumor (there
    is no 3 on purpose). `volumes_mm3` are those of the ellipsoids, which the voxels approximate.
    """

    volume: Volume
    labels: LabelVolume
    volumes_mm3: dict[int, float]


def affine_for(
    axcodes: str,
    spacing_mm: tuple[float, float, float],
    origin_ras_mm: tuple[float, float, float] = (0, 0, 0),
) -> np.ndarray:
    """Return the 4x4 affine of an array whose axes run toward `axcodes`, such as "LPS"."""
    affine = np.eye(4)
    affine[:3, :3] = 0.0
    for array_axis, code in enumerate(axcodes):
        patient_axis, sign = AXIS_CODES[code]
        affine[patient_axis, array_axis] = sign * spacing_mm[array_axis]
    affine[:3, 3] = origin_ras_mm
    return affine


# Organ: center and radii as fractions of the field of view along right, anterior, superior; CT value; MRI
# value; label.
_ORGANS = (
    ("body", (0.5, 0.5, 0.5), (0.45, 0.42, 0.47), 0, 300, 0),
    ("lung", (0.3, 0.55, 0.5), (0.13, 0.22, 0.3), -700, 60, 1),
    ("heart", (0.62, 0.6, 0.45), (0.18, 0.16, 0.2), 150, 700, 2),
    ("tumour", (0.64, 0.62, 0.44), (0.07, 0.06, 0.08), 400, 950, 4),
)
_COLORS = {"lung": (80, 160, 255), "heart": (220, 40, 60), "tumour": (250, 210, 30)}


def make_phantom(
    shape: tuple[int, int, int] = (41, 37, 13),
    spacing_mm: tuple[float, float, float] = (2.0, 2.0, 5.0),
    axcodes: str = "LPS",
    modality: str = "ct",
    noise: float = 10.0,
    seed: int = 0,
) -> Phantom:
    """Return nested ellipsoids; `shape` and `spacing_mm` are along the array's own axes.

    The anatomy fills the field of view, so another shape or spacing is another body. To get the same body in
    another orientation, permute and flip the arrays.
    """
    extents = np.array(shape) * spacing_mm
    affine = affine_for(axcodes, spacing_mm)
    patient = [AXIS_CODES[code][0] for code in axcodes]
    # Place the center of the field of view at the origin.
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    extents_ras = np.empty(3)
    extents_ras[patient] = extents
    grid = np.stack(np.meshgrid(*[np.arange(n) for n in shape], indexing="ij"), axis=-1)  # X Y Z 3
    parts_ras = (grid @ affine[:3, :3].T + affine[:3, 3]) / extents_ras + 0.5
    values = np.full(shape, -1000.0 if modality == "ct" else 5.0)
    labels = np.zeros(shape, dtype=np.uint8)
    for _, center, radii, hu, signal, label in _ORGANS:
        inside = (((parts_ras - center) / radii) ** 2).sum(axis=-1) <= 1
        values[inside] = hu if modality == "ct" else signal
        labels[inside] = label
    values += np.random.default_rng(seed).normal(0.0, noise, shape)
    named = tuple(Label(label, name, _COLORS[name]) for name, *_, label in _ORGANS if label)
    volume = Volume(values.round().astype(np.int16), affine)
    return Phantom(volume, LabelVolume(labels, affine, named), _true_volumes(extents_ras))


def _true_volumes(extents_ras: np.ndarray) -> dict[int, float]:
    """Return the volume of each label's ellipsoid; the heart's excludes the tumor inside it."""
    full = {
        label: float(4 / 3 * np.pi * np.prod(np.array(radii) * extents_ras))
        for _, _, radii, _, _, label in _ORGANS
        if label
    }
    return {1: full[1], 2: full[2] - full[4], 4: full[4]}


MakePhantom = Callable[..., Phantom]


@pytest.fixture
def phantom() -> MakePhantom:
    """`phantom(shape=..., spacing_mm=..., axcodes="LPS", modality="ct"|"mr", noise=..., seed=...)`."""
    return make_phantom


@pytest.fixture(scope="session", autouse=True)
def cache_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep tests, and the processes that they start, away from the cache of the user who runs them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SAMMED_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.delenv("SAMMED_CACHE_GB", raising=False)
        yield
