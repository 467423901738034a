import subprocess
from collections.abc import Callable

import pytest

from sammed.backbones.registry import BACKBONES, backbone_spec
from sammed.errors import ConfigError


def test_every_entry_stands_under_its_own_name_and_no_two_share_a_file() -> None:
    assert list(BACKBONES) == ["lite-medsam", "sam-vit-b", "sam-vit-l", "sam-vit-h", "medsam-vit-b"]
    assert all(spec.name == name for name, spec in BACKBONES.items())
    assert len({spec.filename for spec in BACKBONES.values()}) == len(BACKBONES)


def test_entries_can_not_be_changed_by_whoever_reads_them() -> None:
    with pytest.raises(TypeError):
        BACKBONES["lite-medsam"] = BACKBONES["sam-vit-b"]  # type: ignore[index]
    with pytest.raises(AttributeError):
        BACKBONES["lite-medsam"].image_size = 1  # type: ignore[misc]


def test_unknown_backbone_is_told_which_there_are() -> None:
    with pytest.raises(ConfigError, match=r"no backbone 'sam-vit-x'; there are lite-medsam, sam-vit-b"):
        backbone_spec("sam-vit-x")


def test_reading_the_registry_loads_no_torch(
    start_python: Callable[[str], "subprocess.Popen[str]"],
) -> None:
    code = "import sys; from sammed.backbones import BACKBONES; print('torch' in sys.modules)"
    assert start_python(code).communicate()[0].strip() == "False"


def test_names_of_the_package_are_found_when_asked_for() -> None:
    import sammed.backbones

    assert sammed.backbones.__all__ == sorted(sammed.backbones.__all__)
    assert all(getattr(sammed.backbones, name) is not None for name in sammed.backbones.__all__)
    assert sammed.backbones.BACKBONES is BACKBONES
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        sammed.backbones.nothing  # noqa: B018
