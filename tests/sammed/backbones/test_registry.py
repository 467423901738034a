import subprocess
from collections.abc import Callable

import pytest

from sammed.backbones.registry import BACKBONES, backbone_spec
from sammed.errors import ConfigError


def test_entries_are_keyed_by_name_and_no_two_share_a_file() -> None:
    assert list(BACKBONES) == ["lite-medsam", "sam-vit-b", "sam-vit-l", "sam-vit-h", "medsam-vit-b"]
    assert all(spec.name == name for name, spec in BACKBONES.items())
    assert len({spec.filename for spec in BACKBONES.values()}) == len(BACKBONES)


def test_entries_are_read_only() -> None:
    with pytest.raises(TypeError):
        BACKBONES["lite-medsam"] = BACKBONES["sam-vit-b"]  # type: ignore[index]
    with pytest.raises(AttributeError):
        BACKBONES["lite-medsam"].image_size = 1  # type: ignore[misc]


def test_an_unknown_backbone_lists_those_that_exist() -> None:
    with pytest.raises(ConfigError, match=r"no backbone 'sam-vit-x'; there are lite-medsam, sam-vit-b"):
        backbone_spec("sam-vit-x")


def test_reading_the_registry_loads_no_torch(
    start_python: Callable[[str], "subprocess.Popen[str]"],
) -> None:
    code = "import sys; from sammed.backbones.registry import BACKBONES; print('torch' in sys.modules)"
    assert start_python(code).communicate()[0].strip() == "False"
