"""The examples and the Python of the README run as they are, on a phantom that replaces the chest CT."""

import re
from collections.abc import Callable
from dataclasses import replace
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from runpy import run_path
from types import ModuleType
from typing import TypeAlias

import nibabel
import numpy as np
import pytest
import torch

from sammed.assist.config import AssistConfig
from sammed.auto.classification import ClassificationConfig
from sammed.auto.cross_validation import CrossValidationConfig
from sammed.auto.sap_training import SapTrainingConfig
from sammed.backbones.backbone import Backbone
from sammed.datasets.pseudo.auto import AutoLabelConfig
from sammed.embeddings.scan import Scan
from sammed.jobs.assist_train import AssistTrainRequest, assist_train
from sammed.jobs.demo_data import Pair
from sammed.progress import Silent
from sammed.skills.skill import Skill
from sammed.skills.skill_file import read_skill
from sammed.skills.training import SkillConfig
from sammed.storage.provenance import read_provenance
from sammed_volumes.formats import read_labels, write_labels
from tests.conftest import Phantom

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
LABELS = ("lung", "heart")
FEW_STEPS = SkillConfig(
    assist=AssistConfig(steps=2, point_steps=2, batch_size=2),
    sap_net=SapTrainingConfig(steps=3),
    choosing=CrossValidationConfig(folds=2, steps=2, thickest_smoothed_mm=0),
    classification=ClassificationConfig(strengths=(0.01,), iterations=5),
)


Example: TypeAlias = Callable[[str], ModuleType]


def load(path: Path) -> ModuleType:
    """Import a file that is not on the import path, as Python runs a script."""
    spec = spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def tiny() -> Backbone:
    """A random SAM of Meta's real classes."""
    backbone = run_path(str(ROOT / "tests/sammed/conftest.py"))["tiny_sam"]()
    assert isinstance(backbone, Backbone)
    return backbone


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny: Backbone) -> None:
    """Each test has a working folder of its own; every backbone is the tiny one, and training is short."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sammed.backbones.loading.load_backbone", lambda _name, **_settings: tiny)
    monkeypatch.setattr("sammed.skills.skill.SkillConfig", lambda **_parts: FEW_STEPS)


@pytest.fixture
def pair(tmp_path: Path, phantom: Callable[..., Phantom]) -> Pair:
    """The phantom's image and its complete labels on disk."""
    made = phantom(shape=(31, 29, 17))
    image, labels = tmp_path / "ct.nii.gz", tmp_path / "truth.nii.gz"
    nibabel.save(nibabel.Nifti1Image(made.volume.voxels, made.volume.affine_ras_mm), image)
    write_labels(made.labels, labels, like=made.volume)
    return Pair(image, labels)


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch, pair: Pair) -> Example:
    """`example(name)`: an example with the phantom as its chest CT."""

    def make(name: str) -> ModuleType:
        module = load(ROOT / "examples" / name)
        monkeypatch.setattr(module, "demo_pair", lambda: pair)
        monkeypatch.setattr(module, "DEMO_LABELS", LABELS)
        return module

    return make


def test_one_volume(example: Example, pair: Pair, capsys: pytest.CaptureFixture[str]) -> None:
    result = example("one_volume.py").main()
    assert tuple(label.name for label in result.labels) == LABELS
    assert all(0 <= label.scores.dice <= 1 for label in result.labels)
    assert capsys.readouterr().out.count("Dice") == len(LABELS)
    found, truth = read_labels("example-output/labels.nii.gz"), read_labels(pair.labels)
    assert found.shape == truth.shape
    np.testing.assert_array_equal(found.affine_ras_mm, truth.affine_ras_mm)
    learned_from = list(result.excluded_slices)  # the annotated slices, and empty ones
    wanted = np.where(np.isin(truth.voxels, (1, 2)), truth.voxels, 0)
    np.testing.assert_array_equal(found.voxels[..., learned_from], wanted[..., learned_from])


def test_one_volume_with_other_files(pair: Pair) -> None:
    main = load(ROOT / "examples/one_volume.py").main
    result = main(pair.image, pair.labels, output=Path("own/labels.seg.nrrd"))
    assert {label.name for label in result.labels} == {"lung", "heart", "tumour"}
    assert {label.name for label in read_labels("own/labels.seg.nrrd").labels} == {"lung", "heart", "tumour"}


def test_a_folder_of_scans_continues_after_a_bad_file(
    example: Example, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = example("folder_of_scans.py")
    monkeypatch.setattr(module, "CT_NAME", "chest.nii.gz")  # the phantom is in another format than the CT
    result = module.main()
    assert {item.image.name: item.status for item in result.items} == {
        "chest.nii.gz": "done",
        "broken.nii.gz": "failed",
    }
    assert {path.name for path in Path("example-output/labels").iterdir()} == {
        "chest_label.nii.gz",
        "chest_label.json",
        "chest_label.provenance.json",
        "sammed-manifest.jsonl",
    }
    assert {label.name for label in read_labels("example-output/labels/chest_label.nii.gz").labels} == {
        *LABELS
    }
    assert "broken.nii.gz" in capsys.readouterr().out
    again = module.main()  # loads the skill that exists, and skips what is done
    assert again.count("skipped") == 1


def test_a_folder_on_the_workers_of_a_cluster(
    pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cluster in this process replaces SLURM's; the job script for SLURM is checked as well."""
    from distributed import LocalCluster

    module, skill = load(ROOT / "examples/slurm_cluster.py"), tmp_path / "skill.safetensors"
    assist_train(AssistTrainRequest(image=pair.image, labels=pair.labels, slices=2, output=skill), Silent())
    (tmp_path / "scans").mkdir()
    pair.image.rename(tmp_path / "scans/ct.nii.gz")
    threads = torch.get_num_threads()
    try:
        cluster = LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None)
        result = module.main(Path("scans"), skill, Path("labels"), cluster)
    finally:
        torch.set_num_threads(threads)
    assert [item.status for item in result.items] == ["done"]
    assert read_labels("labels/ct_label.nii.gz").shape == (31, 29, 17)
    monkeypatch.setattr(module, "JOBS", 0)
    monkeypatch.setattr(module, "ON_GPUS", True)
    with module.slurm_cluster() as jobs:
        script = jobs.job_script()
    assert "--gres=gpu:1" in script
    assert "--resources GPU=1" in script
    assert f"--nthreads {module.CORES}" in script


def test_the_generators_compared(example: Example, capsys: pytest.CaptureFixture[str]) -> None:
    scores = example("compare_generators.py").main()
    assert set(scores) == {"sap", "propagation", "classification"}
    for found in scores.values():
        assert set(found) == {*LABELS}
        assert all(0 <= dice <= 1 for dice in found.values())
    assert len(capsys.readouterr().out.splitlines()) == len(LABELS)


def test_synthetic_images(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = load(ROOT / "examples/synthetic_images.py")
    monkeypatch.setattr(module, "demo_pair", lambda: pair)
    tiny = {"image_size": "16", "width": "32", "res_blocks": "1", "timesteps": "50", "steps": "2"}
    sampled = module.main(settings=tiny, count=2)
    assert [path.name for path in sampled.files] == ["synthetic-0001.png", "synthetic-0002.png"]
    assert sampled.shape == (29, 31)
    assert "2 pictures in" in capsys.readouterr().out


def test_pseudo_labels(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = load(ROOT / "examples/pseudo_labels.py")
    monkeypatch.setattr(module, "demo_pair", lambda: pair)
    monkeypatch.setattr("sammed.datasets.pseudo.auto.AutoLabelConfig.__post_init__", _learn_little)
    tiny = {"size_px": "32", "features": "4,4,4,8,8,4", "steps": "2"}
    trained = module.main(student=tiny)
    assert trained.student.exists()
    assert trained.samples == 17  # every slice, annotated or labeled
    assert trained.pseudo_cases == 1
    assert "ct: labeled" in capsys.readouterr().out


def _learn_little(config: AutoLabelConfig) -> None:
    object.__setattr__(config, "learning", FEW_STEPS)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_is_short_and_named_in_the_readme(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) < 60
    assert f"python examples/{path.name}" in text, "the docstring shows how to run it"
    assert f"(examples/{path.name})" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_python_of_the_readme_runs(pair: Pair, phantom: Callable[..., Phantom]) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    [code] = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    made = phantom(shape=(31, 29, 17))
    marked = np.zeros_like(made.labels.voxels)
    marked[..., [7, 9]] = made.labels.voxels[..., [7, 9]]  # two annotated slices
    write_labels(replace(made.labels, voxels=marked), "marks.seg.nrrd", like=made.volume)
    pair.image.rename("image.nii.gz")
    other = phantom(shape=(31, 29, 17), seed=1).volume
    nibabel.save(nibabel.Nifti1Image(other.voxels, other.affine_ras_mm), "other.nii.gz")
    names: dict[str, object] = {}
    exec(compile(code, "README.md", "exec"), names)
    scan, skill = names["scan"], names["skill"]
    assert isinstance(scan, Scan)
    assert isinstance(skill, Skill)
    assert scan.embeddings([0]).shape[:2] == (1, 256)
    assert skill.model.annotations.indices == (7, 9)
    assert read_skill(Path("liver.safetensors")).annotations.indices == (7, 9)
    found = read_labels("other_label.nii.gz")
    assert found.shape == (31, 29, 17)
    assert [label.name for label in found.labels] == ["lung", "heart", "tumour"]
    provenance = read_provenance(Path("other_label.nii.gz"))
    assert provenance is not None
    assert (provenance.image_file, provenance.skill_digest) == ("other.nii.gz", skill.digest)
