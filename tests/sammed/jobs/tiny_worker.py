"""A preload for Dask workers: each labels with the tiny backbone, and dies where a volume name asks for it.

`once.nii.gz` kills the first worker that labels it, `poison.nii.gz` kills every worker. The kills are real:
no exception is raised, nothing is cleaned up.
"""

import os
import signal
from runpy import run_path
from typing import Any

from sammed.backbones import loading
from sammed.embeddings.labeled import Labeled
from sammed.skills.skill import Skill
from sammed_volumes.volume import Volume


def dask_setup(_worker: object) -> None:
    """Dask calls this in the process of every worker, also of one that replaces a dead one."""
    # Dask runs a copy of this file, which can't know where the tests are.
    tiny = run_path(os.environ["TINY_CONFTEST"])["tiny_sam"]()
    setattr(loading, "load_backbone", lambda _name, **_settings: tiny)  # noqa: B010
    label = Skill.label

    def label_or_die(skill: Skill, volume: Volume, **settings: Any) -> Labeled:
        labeled = label(skill, volume, **settings)
        assert volume.path is not None
        mark = volume.path.with_suffix(".died")
        if volume.path.name == "poison.nii.gz" or (volume.path.name == "once.nii.gz" and not mark.exists()):
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return labeled

    setattr(Skill, "label", label_or_die)  # noqa: B010
