"""Kills at random moments: `python bench/faults.py --kills 50`. The next run must end as if undisturbed.

A small folder of phantoms is labeled in peace. Then `sammed auto-label` is started on it again and again and
killed (SIGKILL) at a random moment of its life, from loading to writing; a last run is left in peace. Its
labels must be the same to the last voxel, every label volume must have its provenance, and nothing but
half-files, which go when they are an hour old, may be left over. Such a round begins with an empty folder of
outputs and, in turns, with an empty cache, one without embeddings, and a full one, so that conversion,
encoding and cache writing are hit as well. A process that ended before it was to be killed doesn't count.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import click
import nibabel
import numpy as np
from sammed.jobs.requests import TrainingRequest
from sammed.jobs.training import train

from sammed.batch.manifest import MANIFEST_NAME
from sammed.progress import Silent
from sammed.storage.provenance import provenance_path
from sammed_volumes.formats import read_labels, read_volume, write_labels
from sammed_volumes.labels import Label, LabelVolume

ROOT = Path(__file__).parents[1]
CACHES = {".": "empty cache", "embeddings": "no embeddings", "": "full cache"}
"""What is taken away from the cache before a round, and what that leaves."""
SIZE = 48  # pixels a side: what takes time is the backbone, whatever the size


@click.command()
@click.option("--kills", default=50, show_default=True)
@click.option("--most", default=5, show_default=True, help="Kills a round.")
@click.option("--volumes", default=4, show_default=True)
@click.option("--slices", default=3, show_default=True)
@click.option("--seed", default=0, show_default=True)
@click.option("--folder", type=click.Path(path_type=Path), help="Where to work.  [default: a temporary one]")
def main(kills: int, most: int, volumes: int, slices: int, seed: int, folder: Path | None) -> None:
    """Kill, go on, compare; exits 1 where anything differs."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as temporary:
        work = folder or Path(temporary)
        make_folder(work, volumes, slices)
        lives = [undisturbed(work, emptied) for emptied in CACHES]
        wrong = [fault for life in lives[1:] for fault in differences(lives[0].output, life.output)]
        killed = rounds = 0
        while killed < kills:
            life = lives[rounds % len(lives)]
            killed += kill_often(work, life, min(most, kills - killed), chance)
            wrong += differences(life.output, work / "killed")
            rounds += 1
    for fault in wrong:
        click.echo(f"WRONG: {fault}")
    click.echo(f"{kills} kills in {rounds} rounds: {len(wrong)} differences")
    sys.exit(1 if wrong else 0)


@dataclass(frozen=True, slots=True)
class Life:
    """A run that nobody disturbed: what of the cache was taken away before it, and how long it took."""

    emptied: str
    output: Path
    whole_s: float
    volumes_s: float


def undisturbed(work: Path, emptied: str) -> Life:
    """Label the folder in peace, with the cache as the runs before left it but for what is emptied."""
    output = work / CACHES[emptied]
    shutil.rmtree(output, ignore_errors=True)
    empty(work, emptied)
    started = time.perf_counter()
    subprocess.run(**auto_label(work, output), check=True)  # type: ignore[call-overload]
    life = Life(emptied, output, time.perf_counter() - started, labeling_s(output))
    click.echo(
        f"undisturbed, {CACHES[emptied]}: {life.whole_s:.1f} s, {life.volumes_s:.1f} s of them on volumes"
    )
    return life


def empty(work: Path, emptied: str) -> None:
    """Take a part of the cache away: all of it, its embeddings, or nothing."""
    if emptied:
        shutil.rmtree(work / "cache" / emptied, ignore_errors=True)


def kill_often(work: Path, life: Life, most: int, chance: random.Random) -> int:
    """Up to so many kills, as long as there is something left to do, and a run in peace; how many they were.

    Every other kill comes at any moment of the process's life, most of which is loading; the ones between
    come when it has begun on a volume.
    """
    output = work / "killed"
    shutil.rmtree(output, ignore_errors=True)
    empty(work, life.emptied)
    kills = 0
    while kills < most:
        wait_for = output / MANIFEST_NAME if kills % 2 else None
        after_s = chance.uniform(0.0, life.volumes_s if wait_for else life.whole_s)
        if not run_and_kill(auto_label(work, output), after_s, wait_for):
            break
        kills += 1
        done = len(list(output.rglob("*_label.nii.gz"))) if output.exists() else 0
        when = f"{after_s:5.1f} s after its {'first volume' if wait_for else 'start'}"
        click.echo(f"{CACHES[life.emptied]}: killed {when}, {done} label volumes there")
    subprocess.run(**auto_label(work, output), check=True)  # type: ignore[call-overload]
    return kills


def labeling_s(output: Path) -> float:
    """The seconds that its manifest says were spent on volumes."""
    lines = (output / MANIFEST_NAME).read_text(encoding="utf-8").splitlines()
    return float(sum(json.loads(line)["seconds"] for line in lines))


def run_and_kill(command: dict[str, object], after_s: float, wait_for: Path | None) -> bool:
    """Start it, kill it and what it started, and say whether it lived; first wait until a file has grown."""
    before = wait_for.stat().st_size if wait_for and wait_for.exists() else 0
    process = subprocess.Popen(**command, start_new_session=True)  # type: ignore[call-overload]
    while wait_for and process.poll() is None:
        if wait_for.exists() and wait_for.stat().st_size > before:
            break
        time.sleep(0.005)
    try:
        process.wait(after_s)
        return False
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return True


def differences(expected: Path, found: Path) -> list[str]:
    """What is not as in the folder that nobody disturbed."""
    wrong = []
    for path in sorted(expected.rglob("*_label.nii.gz")):
        other = found / path.relative_to(expected)
        if not other.exists():
            wrong.append(f"{other} is missing")
        elif not np.array_equal(read_labels(path).voxels, read_labels(other).voxels):
            wrong.append(f"{other} differs")
        elif not provenance_path(other).exists():
            wrong.append(f"{other} has no provenance")
    wanted = {path.relative_to(expected) for path in expected.rglob("*")}
    for path in sorted(found.rglob("*")):
        if path.relative_to(found) not in wanted and not path.name.startswith(".partial-"):
            wrong.append(f"{path} is left over")
    return wrong


def auto_label(work: Path, output: Path) -> dict[str, object]:
    """How the command is started: as a person would, with a cache of its own."""
    roots = os.pathsep.join(str(ROOT / name) for name in (".", "cli", "volumes"))
    environment = {**os.environ, "SAMMED_CACHE": str(work / "cache"), "PYTHONPATH": roots}
    words = ["auto-label", work / "scans", "--skill", work / "skill.safetensors", "--output", output]
    return {
        "args": [sys.executable, "-m", "sammed_cli", *map(str, words)],
        "env": environment,
        "stdout": subprocess.DEVNULL,
        "stderr": subprocess.DEVNULL,
    }


def make_folder(work: Path, volumes: int, slices: int) -> None:
    """Phantoms in `scans/`, and a skill learned from the first one."""
    for number in range(volumes):
        path = work / "scans" / f"ward {number % 2}" / f"{number}.nii.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        image, labels = phantom(slices, number)
        nibabel.save(nibabel.Nifti1Image(image, AFFINE), path)
        if number == 0:
            first = LabelVolume(labels, AFFINE, (Label(1, "organ", (220, 40, 60)),))
            write_labels(first, work / "truth.nii.gz", like=read_volume(path), overwrite=True)
    request = TrainingRequest(
        image=work / "scans/ward 0/0.nii.gz",
        labels=work / "truth.nii.gz",
        slice_index=(0, slices - 1),
        output=work / "skill.safetensors",
        overwrite=True,
    )
    train(request, Silent())


AFFINE = np.diag([1.0, 1.0, 5.0, 1.0])


def phantom(slices: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A bright disc that wanders, and the truth about it."""
    x, y, z = np.meshgrid(*(np.arange(n) for n in (SIZE, SIZE, slices)), indexing="ij")
    inside = (x - SIZE / 2 - z) ** 2 + (y - SIZE / 2 + seed) ** 2 < (SIZE / 4) ** 2
    noise = np.random.default_rng(seed).normal(0, 20, inside.shape)
    return np.where(inside, 200, -100).astype(np.int16) + noise.astype(np.int16), inside.astype(np.uint8)


if __name__ == "__main__":
    main()
