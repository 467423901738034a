"""A preload for Dask workers: each labels with the tiny backbone, and dies where a volume name asks for it.

`once.nii.gz` kills the first worker that labels it, `poison.nii.gz` kills every worker. The kills are real:
no exception is raised, nothing is cleaned up.
"""

import os
import signal
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType
from typing import Any

from sammed.skills.labeled import Labeled
from sammed.skills.skill import Skill
from sammed_volumes.volume import Volume


def dask_setup(_worker: object) -> None:
    """Dask calls this in the process of every worker, also of one that replaces a dead one."""
    from sammed.backbones import loading

    tiny = _conftest().tiny_sam()
    loading.load_backbone = lambda _name, **_settings: tiny
    label = Skill.label

    def label_or_die(skill: Skill, volume: Volume, **settings: Any) -> Labeled:
        labeled = label(skill, volume, **settings)
        assert volume.path is not None
        mark = volume.path.with_suffix(".died")
        if volume.path.name == "poison.nii.gz" or (volume.path.name == "once.nii.gz" and not mark.exists()):
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return labeled

    Skill.label = label_or_die  # type: ignore[assignment,method-assign]


def _conftest() -> ModuleType:
    # Dask runs a copy of this file, which can't know where the tests are.
    spec = spec_from_file_location("tiny_conftest", os.environ["TINY_CONFTEST"])
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
