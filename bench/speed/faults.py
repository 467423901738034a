"""Kills at random moments, after which the next run must finish as if nothing happened.

`python -m bench.speed.faults --kills 50` labels a small folder of phantoms undisturbed. Then it starts
`sammed auto-label` on the folder again and again and kills it (SIGKILL) at a random moment between loading
and writing; the last run of a round is not killed. The labels must be the same to the last voxel, each label
volume must have its provenance, and nothing may be left over except partial files, which sammed removes when
they are an hour old. A round starts with an empty folder of outputs and, in turns, with an empty cache, one
without embeddings, and a full one, so that kills also hit conversion, encoding and writing to the cache. A
process that ends before its kill does not count.
"""

import random
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np

from bench.speed.labeling_process import Command, labeling_seconds
from bench.speed.phantoms import Size, make_folder
from sammed.batch.manifest import MANIFEST_NAME
from sammed.storage.provenance import provenance_path
from sammed_volumes.formats import read_labels

CACHES = {".": "empty cache", "embeddings": "no embeddings", "": "full cache"}
"""What is removed from the cache before a round, and what that leaves."""

PIXELS = 48  # on each side: the backbone takes the time, whatever the size
LABELS_PATTERN = "*_label.nii.gz"


@click.command()
@click.option("--kills", default=50, show_default=True)
@click.option("--most", default=5, show_default=True, help="Kills per round.")
@click.option("--volumes", default=4, show_default=True)
@click.option("--slices", default=3, show_default=True)
@click.option("--seed", default=0, show_default=True)
@click.option("--folder", type=click.Path(path_type=Path), help="Where to work.  [default: a temporary one]")
def main(kills: int, most: int, volumes: int, slices: int, seed: int, folder: Path | None) -> None:
    """Kill, continue, compare; exit with 1 if anything differs."""
    with tempfile.TemporaryDirectory() as temporary:
        work = folder or Path(temporary)
        make_folder(work, Size(slices=slices, labels=1, volumes=volumes, pixels=PIXELS))
        references = [label_undisturbed(work, removed) for removed in CACHES]
        expected = references[0].output
        wrong = [each for other in references[1:] for each in differences(expected, other.output)]
        killed, rounds, chance = 0, 0, random.Random(seed)
        while killed < kills:
            reference = references[rounds % len(references)]
            killed += kill_often(work, reference, min(most, kills - killed), chance)
            wrong += differences(reference.output, work / "killed")
            rounds += 1
    for each in wrong:
        click.echo(f"WRONG: {each}")
    click.echo(f"{kills} kills in {rounds} rounds: {len(wrong)} differences")
    sys.exit(1 if wrong else 0)


@dataclass(frozen=True, slots=True)
class Reference:
    """An undisturbed run: what was removed from the cache before it, its outputs, and how long it took."""

    removed: str
    output: Path
    process_s: float
    volumes_s: float


def label_undisturbed(work: Path, removed: str) -> Reference:
    """Label the folder, with the cache as earlier runs left it except for what is removed."""
    output = work / CACHES[removed]
    _prepare(work, output, removed)
    seconds = Command(work, output).run()
    reference = Reference(removed, output, seconds, labeling_seconds(output))
    volumes = f"{reference.volumes_s:.1f} s of them on volumes"
    click.echo(f"undisturbed, {CACHES[removed]}: {seconds:.1f} s, {volumes}")
    return reference


def kill_often(work: Path, reference: Reference, most: int, chance: random.Random) -> int:
    """Kill up to `most` runs, while there is something left to do, then let one finish; return the kills.

    Every other kill comes at any moment of the process, most of which is loading. The ones in between come
    after it started a volume.
    """
    output = work / "killed"
    _prepare(work, output, reference.removed)
    kills = 0
    while kills < most:
        wait_for = output / MANIFEST_NAME if kills % 2 else None
        after_s = chance.uniform(0.0, reference.volumes_s if wait_for else reference.process_s)
        if not Command(work, output).run_and_kill(after_s, wait_for):
            break
        kills += 1
        moment = f"{after_s:5.1f} s after its {'first volume' if wait_for else 'start'}"
        done = len(list(output.rglob(LABELS_PATTERN)))
        click.echo(f"{CACHES[reference.removed]}: killed {moment}, {done} label volumes written")
    Command(work, output).run()
    return kills


def _prepare(work: Path, output: Path, removed: str) -> None:
    shutil.rmtree(output, ignore_errors=True)
    if removed:
        shutil.rmtree(work / "cache" / removed, ignore_errors=True)


def differences(expected: Path, found: Path) -> list[str]:
    """Return what differs from the outputs of an undisturbed run."""
    wrong = []
    for path in sorted(expected.rglob(LABELS_PATTERN)):
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


if __name__ == "__main__":
    main()
