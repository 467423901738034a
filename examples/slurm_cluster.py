"""A folder of scans on a SLURM cluster: Dask submits jobs, and each job labels one volume after another.

    python examples/slurm_cluster.py SCANS SKILL [OUTPUT]

Run `pip install 'sammed[slurm]'` first, and start it on a login node in a terminal that stays open. Scans,
skill and output must be on a disk that all nodes share. `docs/slurm.md` has details, also without Dask.
"""

import sys
from pathlib import Path
from typing import Any

from sammed import EncodingConfig, Silent
from sammed.batch.result import LabelingResult
from sammed.jobs.auto_label import AutoLabelRequest, auto_label

JOBS = 4
CORES = 8
ON_GPUS = False


def slurm_cluster() -> Any:
    """Start SLURM jobs that are Dask workers, one process each, with the resources that sammed asks for."""
    from dask_jobqueue.slurm import SLURMCluster

    cluster = SLURMCluster(
        cores=CORES,
        processes=1,  # one model per job, which uses all cores of the job
        memory="16GB",
        walltime="08:00:00",
        job_extra_directives=["--gres=gpu:1"] if ON_GPUS else [],
        worker_extra_args=["--resources", "GPU=1"] if ON_GPUS else [],
        scheduler_options={"dashboard_address": None},
    )
    cluster.scale(jobs=JOBS)
    return cluster


def main(scans: Path, skill: Path, output: Path = Path("labels"), cluster: Any = None) -> LabelingResult:
    """Label every volume of the folder on the cluster; a second call continues where the first stopped."""
    with cluster or slurm_cluster() as jobs:
        request = AutoLabelRequest(
            inputs=(scans,),
            skill=skill,
            output=output,
            encoding=EncodingConfig(device="cuda" if ON_GPUS else "cpu"),
            cluster=jobs.scheduler_address,
        )
        result = auto_label(request, Silent())
    for item in result.items:
        print(f"{item.image.name:20} {item.status:8} {item.error or item.output}")
    return result


if __name__ == "__main__":
    sys.exit(1 if main(*map(Path, sys.argv[1:4])).count("failed") else 0)
