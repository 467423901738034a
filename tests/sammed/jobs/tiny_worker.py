"""A preload of Dask's workers: each labels with the tiny backbone, and dies where a volume's name says so.

`once.nii.gz` kills the first worker that is in the middle of it, `poison.nii.gz` every one. Kills are real:
no exception is raised, nothing is tidied up.
"""

import os
import signal
from importlib.util import module_from_spec, spec_from_file_location


def dask_setup(_worker):
    """Dask calls this in every worker's process, also in one that takes a dead one's place."""
    from sammed.jobs import labeler, machine

    tiny = _conftest().tiny_sam()
    machine.load_backbone = lambda _name, **_settings: tiny
    label_volume = labeler.label_volume

    def label_or_die(volume, *others, **settings):
        labeled = label_volume(volume, *others, **settings)
        mark = volume.path.with_suffix(".died")
        if volume.path.name == "poison.nii.gz" or (volume.path.name == "once.nii.gz" and not mark.exists()):
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return labeled

    labeler.label_volume = label_or_die


def _conftest():
    # Dask runs a copy of this file, so it can't say where the tests are.
    spec = spec_from_file_location("tiny_conftest", os.environ["TINY_CONFTEST"])
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
