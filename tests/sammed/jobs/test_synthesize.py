"""From a set to a diffusion model, from the model to pictures and to a set that can be pseudo-labeled."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sammed.datasets.labeled_sets.labeled_set import Case, LabeledSet
from sammed.datasets.labeled_sets.pictures import open_case
from sammed.datasets.labeled_sets.set_file import read_set, write_set
from sammed.errors import AnnotationError, ConfigError, SetError
from sammed.jobs.synthesize.sample import SynthesizeSampleRequest, synthesize_sample
from sammed.jobs.synthesize.train import SynthesizeTrainRequest, synthesize_train
from sammed.progress import Silent
from sammed_volumes.errors import OutputError
from sammed_volumes.intensity import Window
from sammed_volumes.labels import Label

SETTINGS = {"image_size": "16", "width": "32", "res_blocks": "1", "timesteps": "50", "steps": "2"}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A set of four pictures of 20 x 12 (columns x rows), two of them gold, one of which is tested on."""
    folder = tmp_path / "set"
    folder.mkdir()
    cases = []
    for index in range(4):
        pixels = np.random.default_rng(index).integers(0, 256, (12, 20), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"case{index}.png")
        Image.fromarray((pixels > 128).astype(np.uint8)).save(folder / f"mask{index}.png")
        labels = Path(f"mask{index}.png") if index < 2 else None
        cases.append(Case(f"case{index}", Path(f"case{index}.png"), labels, "gold" if labels else "none"))
    write_set(LabeledSet(folder, (Label(1, "spot", (9, 9, 9)),), tuple(cases), {"case1": "test"}))
    return folder


@pytest.fixture(scope="session")
def kept_model() -> dict[str, bytes]:
    """Learning takes a second; the bytes of what was learned once."""
    return {}


@pytest.fixture
def model(tmp_path: Path, place: Path, kept_model: dict[str, bytes]) -> Path:
    path = tmp_path / "model.safetensors"
    if not kept_model:
        synthesize_train(SynthesizeTrainRequest(labeled_set=place, output=path, settings=SETTINGS), Silent())
        kept_model["model"] = path.read_bytes()
    path.write_bytes(kept_model["model"])
    return path


def test_a_model_is_learned_from_all_pictures_that_are_trained_on(tmp_path: Path, place: Path) -> None:
    (place / "case3.png").write_text("no picture")
    request = SynthesizeTrainRequest(
        labeled_set=place, output=tmp_path / "model.safetensors", settings=SETTINGS
    )
    result = synthesize_train(request, Silent())
    assert request.output.is_file()
    assert not request.checkpoint.exists()
    assert (result.pictures, result.shape, result.steps) == (2, (12, 20), 2)
    assert [problem.case for problem in result.problems] == ["case3"]
    assert set(result.to_json()) == {
        *("model", "pictures", "image_size", "shape", "steps", "loss", "problems", "seconds")
    }
    with pytest.raises(OutputError, match="already exists"):
        synthesize_train(request, Silent())


def test_a_set_without_readable_pictures_teaches_nothing(tmp_path: Path, place: Path) -> None:
    for index in range(4):
        (place / f"case{index}.png").unlink()
    with pytest.raises(AnnotationError, match="has no training case to learn from"):
        synthesize_train(
            SynthesizeTrainRequest(labeled_set=place, output=tmp_path / "m.safetensors"), Silent()
        )


def test_samples_are_pictures_that_say_what_they_are(tmp_path: Path, model: Path) -> None:
    request = SynthesizeSampleRequest(model=model, count=3, output=tmp_path / "samples", steps=5)
    result = synthesize_sample(request, Silent())
    assert [path.name for path in result.files] == [f"synthetic-000{number}.png" for number in (1, 2, 3)]
    with Image.open(result.files[0]) as picture:
        assert picture.size == (20, 12)
        assert picture.mode == "L"
        assert "Synthetic image" in picture.info["Description"]
        assert picture.info["Source"].startswith("diffusion model ")
    assert result.to_json()["set"] is None
    with pytest.raises(OutputError, match="already exists"):
        synthesize_sample(request, Silent())
    again = synthesize_sample(replace(request, output=tmp_path / "again"), Silent())
    assert [path.read_bytes() for path in again.files] == [path.read_bytes() for path in result.files]


def test_with_gold_the_samples_wait_for_pseudo_labels(tmp_path: Path, model: Path, place: Path) -> None:
    request = SynthesizeSampleRequest(model=model, count=2, output=tmp_path / "new", gold=place, steps=5)
    result = synthesize_sample(request, Silent())
    assert result.labeled_set is not None
    found = read_set(result.labeled_set)
    assert [(case.name, case.origin) for case in found.cases] == [
        ("case0", "gold"),
        ("case1", "gold"),
        ("synthetic-0001", "none"),
        ("synthetic-0002", "none"),
    ]
    assert [found.split_of(case) for case in found.cases] == ["train", "test", "train", "train"]
    assert found.labels == read_set(place).labels
    assert open_case(found.case("case0"), found).labels is not None
    assert open_case(found.case("synthetic-0001"), found).slicing.stack_shape == (1, 12, 20)
    manifest = json.loads(result.labeled_set.read_text())
    assert manifest["cases"][2]["image"] == "images/synthetic-0001.png"


@pytest.mark.parametrize(
    ("window", "suffix"),
    [
        (Window(-160, 240, "hu"), ".nii.gz"),
        (Window(0, 100, "value"), ".png"),
        (Window(1, 99, "percentile"), ".png"),
    ],
    ids=lambda value: str(value),
)
def test_a_window_shows_samples_as_they_were_made(
    tmp_path: Path, model: Path, place: Path, window: Window, suffix: str
) -> None:
    write_set(replace(read_set(place), window=window), overwrite=True)
    plain = synthesize_sample(
        SynthesizeSampleRequest(model=model, count=1, output=tmp_path / "plain", steps=5), Silent()
    )
    result = synthesize_sample(
        SynthesizeSampleRequest(model=model, count=1, output=tmp_path / "new", gold=place, steps=5), Silent()
    )
    assert result.files[0].name == f"synthetic-0001{suffix}"
    assert result.labeled_set is not None
    found = read_set(result.labeled_set)
    shown = open_case(found.case("synthetic-0001"), found).image(0)[:, :, 0]
    if window.unit != "percentile":
        with Image.open(plain.files[0]) as picture:
            np.testing.assert_allclose(shown, np.asarray(picture) / 255, atol=0.012)


def test_a_set_without_gold_has_nothing_to_go_with(tmp_path: Path, model: Path, place: Path) -> None:
    write_set(read_set(place).keep(lambda case: not case.is_gold), overwrite=True)
    with pytest.raises(SetError, match="has no gold case"):
        synthesize_sample(
            SynthesizeSampleRequest(model=model, count=1, output=tmp_path / "new", gold=place, steps=5),
            Silent(),
        )


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"count": 0}, "1 or more"),
        ({"seed": -1}, "A seed is 0 or more"),
        ({"output": Path("x.png")}, "must be a folder"),
    ],
)
def test_requests_are_checked(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        SynthesizeSampleRequest(**{"model": Path("m"), "count": 1, "output": Path("x"), **settings})


def test_a_model_needs_its_ending_and_known_settings() -> None:
    with pytest.raises(ConfigError, match=r"ends in \.safetensors"):
        SynthesizeTrainRequest(labeled_set=Path("set"), output=Path("model.pt"))
    with pytest.raises(ConfigError, match="There is no setting 'depth'"):
        SynthesizeTrainRequest(labeled_set=Path("set"), output=Path("m.safetensors"), settings={"depth": "3"})
