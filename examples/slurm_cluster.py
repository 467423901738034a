"""A folder of scans on a SLURM cluster: Dask asks for jobs, and each of them labels volume after volume.

    python examples/slurm_cluster.py SCANS SKILL [OUTPUT]

Run it on a login node, in a terminal that stays; `pip install 'sammed[slurm]'` first. Scans, skill and output
must lie on a disk that all nodes see. `docs/slurm.md` says more, also how to do without Dask.
"""

import sys
from pathlib import Path
from typing import Any

from sammed import LabelingRequest, LabelingResult, Silent, label

JOBS = 4
CORES = 8
ON_GPUS = False


def slurm_cluster() -> Any:
    """Jobs of SLURM that are Dask workers, one process each, with the resources that sammed looks for."""
    from dask_jobqueue import SLURMCluster

    cluster = SLURMCluster(
        cores=CORES,
        processes=1,  # one model a job; it uses all cores of the job
        memory="16GB",
        walltime="08:00:00",
        job_extra_directives=["--gres=gpu:1"] if ON_GPUS else [],
        worker_extra_args=["--resources", "GPU=1"] if ON_GPUS else [],
        scheduler_options={"dashboard_address": None},
    )
    cluster.scale(jobs=JOBS)
    return cluster


def main(scans: Path, skill: Path, output: Path = Path("labels"), cluster: Any = None) -> LabelingResult:
    """Label every volume of the folder on the cluster; the same call again goes on where it stopped."""
    with cluster or slurm_cluster() as jobs:
        request = LabelingRequest(
            inputs=(scans,),
            skill=skill,
            output=output,
            device="cuda" if ON_GPUS else "cpu",
            cluster=jobs.scheduler_address,
        )
        result = label(request, Silent())
    for item in result.items:
        print(f"{item.image.name:20} {item.status:8} {item.error or item.output}")
    return result


if __name__ == "__main__":
    sys.exit(1 if main(*map(Path, sys.argv[1:4])).count("failed") else 0)
