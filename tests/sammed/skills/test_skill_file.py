"""The skill file: what goes in comes out, and a damaged file is rejected in one sentence."""

import json
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from sammed.annotations.annotations import Annotations
from sammed.annotations.slice_sampling import annotate
from sammed.backbones.backbone import Backbone
from sammed.embeddings.scan import open_scan
from sammed.errors import SkillError
from sammed.progress import Silent
from sammed.skills.inference import label_scan, scan_for
from sammed.skills.model import SkillModel
from sammed.skills.skill_file import read_skill, skill_digest, write_skill
from sammed.skills.training import SkillConfig, train_skill
from sammed_volumes.errors import OutputError
from sammed_volumes.intensity import Window
from sammed_volumes.labels import Label

if TYPE_CHECKING:
    from tests.conftest import Phantom

WINDOW = Window(-900.0, 500.0, "hu")


def empty_skill(shape: tuple[int, int, int] = (2, 9, 11), dtype: type = np.uint16) -> SkillModel:
    """A skill whose only weights are one tensor; its annotated slices show a square."""
    label = Label(300 if dtype is not np.uint8 else 3, "Milz, groß", (1, 2, 3))
    masks: np.ndarray = np.zeros(shape, dtype)
    masks[:, 2:6, 3:7] = label.value
    return SkillModel(
        backbone="tiny",
        backbone_digest="tiny-0",
        plane="coronal",
        axis=1,
        window=Window(0.0, 99.5, "percentile"),
        labels=(label,),
        encoders={label.value: {"weight": torch.arange(6.0).reshape(2, 3)}},
        annotations=Annotations(tuple(range(3, 3 + shape[0])), masks, (label,)),
        volume_sha256="f" * 64,
        prompts="boxes",
        seed=7,
    )


def test_fields_come_back(tmp_path: Path) -> None:
    before = empty_skill()
    after = read_skill(write_skill(before, tmp_path / "skill.safetensors"))
    for field in fields(SkillModel):
        if field.name not in ("encoders", "annotations"):
            assert getattr(after, field.name) == getattr(before, field.name), field.name
    assert after.annotations.indices == before.annotations.indices
    assert after.annotations.masks.dtype == np.uint16
    np.testing.assert_array_equal(after.annotations.masks, before.annotations.masks)
    assert after.encoders[300]["weight"].equal(before.encoders[300]["weight"])


CHOICE_KEYS = {"components", "rule_name", "source", "smoothing_mm", "mixture", "expected_dice"}
"""Of the first skill files: files that older releases wrote are read, and read by them."""


def choice_keys(path: Path) -> set[str]:
    with safe_open(path, framework="pt") as opened:
        header = json.loads(opened.metadata()["sammed_skill"])
    return {key for choice in header["choices"].values() for key in choice}


def test_a_skill_read_again_labels_alike_to_the_last_bit(
    tmp_path: Path,
    phantom: Callable[..., "Phantom"],
    tiny_backbone: Backbone,
    few_steps: Callable[..., SkillConfig],
) -> None:
    made = phantom()
    scan = open_scan(made.volume, tiny_backbone, window=WINDOW)
    annotations = annotate(
        scan.slicing, made.labels, made.labels.labels, slice_index=(5, 7), empty_slices=(0,)
    )
    skill = train_skill(scan, annotations, few_steps(), 3, Silent())
    again = read_skill(write_skill(skill, tmp_path / "skill.safetensors"))
    assert dict(again.require_auto().choices) == dict(skill.require_auto().choices)
    assert choice_keys(tmp_path / "skill.safetensors") == CHOICE_KEYS
    other = phantom(seed=1).volume
    labeled = 0
    for generator in ("sap", "classification"):
        before = label_scan(scan_for(skill, other, tiny_backbone), skill, "", generator)
        after = label_scan(scan_for(again, other, tiny_backbone), again, "", generator)
        np.testing.assert_array_equal(after.labels.voxels, before.labels.voxels)
        assert after.estimates == before.estimates
        labeled += int(np.count_nonzero(before.labels.voxels))
    assert labeled, "nothing was labeled, so nothing was compared"


def test_large_slices_make_no_large_file(tmp_path: Path) -> None:
    path = write_skill(empty_skill((7, 512, 512)), tmp_path / "skill.safetensors")
    assert path.stat().st_size < 50_000


def test_the_digest_names_the_content(tmp_path: Path) -> None:
    first = write_skill(empty_skill(), tmp_path / "a.safetensors")
    second = write_skill(empty_skill(), tmp_path / "b.safetensors")
    third = write_skill(replace(empty_skill(), seed=8), tmp_path / "c.safetensors")
    digests = [skill_digest(read_skill(path)) for path in (first, second, third)]
    assert digests[0] == digests[1] != digests[2]
    assert digests[0] == skill_digest(empty_skill())
    assert len(digests[0]) == 64


def test_a_skill_is_kept_unless_overwritten(tmp_path: Path) -> None:
    path = write_skill(empty_skill(), tmp_path / "skill.safetensors")
    with pytest.raises(OutputError, match="already exists"):
        write_skill(replace(empty_skill(), seed=8), path)
    assert read_skill(path).seed == 7
    write_skill(replace(empty_skill(), seed=8), path, overwrite=True)
    assert read_skill(path).seed == 8


def refusal(path: Path) -> str:
    with pytest.raises(SkillError) as raised:
        read_skill(path)
    said = str(raised.value)
    assert said.startswith(str(path)) or f" {path}" in said
    assert "\n" not in said
    return said


@pytest.mark.parametrize("kept", [0, 4, 8, 100, 0.5, 0.9, -1])
def test_a_file_cut_short(tmp_path: Path, kept: float) -> None:
    path = write_skill(empty_skill(), tmp_path / "skill.safetensors")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole)) if isinstance(kept, float) else kept])
    assert "not a skill, or was cut short" in refusal(path)


def test_any_flipped_byte_is_noticed(tmp_path: Path) -> None:
    """Every 7th byte: the length, the header with all names and numbers, the tensors."""
    path = write_skill(empty_skill(), tmp_path / "skill.safetensors")
    whole = path.read_bytes()
    for place in range(0, len(whole), 7):
        flipped = bytearray(whole)
        flipped[place] ^= 1
        path.write_bytes(flipped)
        refusal(path)


def test_a_later_version(tmp_path: Path) -> None:
    path = write_skill(empty_skill(), tmp_path / "skill.safetensors")
    whole = path.read_bytes()
    later = whole.replace(rb"\"format\": 3", rb"\"format\": 4")
    assert later != whole
    path.write_bytes(later)
    assert "later sammed (format 4; this one reads up to 3); update sammed" in refusal(path)


def test_safetensors_of_something_else(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_file({"weight": torch.zeros(3)}, path)
    assert refusal(path) == f"{path} holds tensors but is not a skill of sammed; use another file."


def test_a_header_without_content(tmp_path: Path) -> None:
    path = tmp_path / "skill.safetensors"
    save_file({"weight": torch.zeros(3)}, path, {"sammed_skill": json.dumps(["format"])})
    assert "damaged header" in refusal(path)


def test_no_such_file(tmp_path: Path) -> None:
    assert "learn one with `sammed assist-train`" in refusal(tmp_path / "skill.safetensors")


def test_no_pickle_is_in_the_file(tmp_path: Path) -> None:
    """Whatever is in it is a plain tensor."""
    path = write_skill(empty_skill(), tmp_path / "skill.safetensors")
    assert set(load_file(path)) == {"annotations/masks", "encoder/300/weight"}
