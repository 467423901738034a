"""The student: its file, its grids, its samples, in 2-D and in 3-D."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from bench.corruption.records import header_of, with_header
from sammed.datasets.students.augmentation import Augmentation
from sammed.datasets.students.batches import Batches
from sammed.datasets.students.config import StudentConfig
from sammed.datasets.students.inference import label_by_student
from sammed.datasets.students.samples import IGNORED, Sample
from sammed.datasets.students.scaling import classes_to_square, from_square, to_square
from sammed.datasets.students.student import new_student
from sammed.datasets.students.student_file import load_student, save_student, student_digest
from sammed.datasets.students.training import train_on_samples
from sammed.errors import ConfigError, StudentError
from sammed.progress import Silent
from sammed_volumes.intensity import Window
from sammed_volumes.labels import Label
from sammed_volumes.volume import Volume
from tests.conftest import MakePhantom
from tests.sammed.datasets.students.conftest import StopsAfter

LABELS = (Label(2, "liver", (1, 2, 3)), Label(300, "spleen", (4, 5, 6)))


def test_a_student_comes_back_as_it_was(tmp_path: Path, tiny_config: Callable[..., StudentConfig]) -> None:
    student = new_student(tiny_config(loss="dice+ce"), LABELS, Window(-5, 9, "hu"))
    path = save_student(student, tmp_path / "s.safetensors")
    read = load_student(path)
    assert (read.config, read.labels, read.window) == (student.config, LABELS, Window(-5, 9, "hu"))
    assert student_digest(read) == student_digest(student)
    image = np.random.default_rng(0).random((20, 30, 1), dtype=np.float32)
    np.testing.assert_array_equal(read.probabilities(image), student.probabilities(image))


def test_a_network_that_can_not_be_built_is_one_sentence(
    tmp_path: Path, tiny_config: Callable[..., StudentConfig]
) -> None:
    """torch's message has a trace of its own."""
    path = save_student(new_student(tiny_config(), LABELS), tmp_path / "s.safetensors")
    header = json.loads(header_of(path, "sammed_student"))
    header["config"]["features"] = [2**63] * 6
    path.write_bytes(with_header(path, json.dumps(header).encode(), "sammed_student"))
    with pytest.raises(
        StudentError, match=r"^.*s\.safetensors is a student that can't be read: .*$"
    ) as error:
        load_student(path)
    assert "\n" not in str(error.value)


def test_a_damaged_file_names_itself(tmp_path: Path, tiny_config: Callable[..., StudentConfig]) -> None:
    path = save_student(new_student(tiny_config(), LABELS), tmp_path / "s.safetensors")
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)
    with pytest.raises(StudentError, match=r"s\.safetensors was altered"):
        load_student(path)
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(StudentError, match="cut short"):
        load_student(path)
    with pytest.raises(StudentError, match="no file"):
        load_student(tmp_path / "none.safetensors")


def test_color_goes_to_a_gray_student_and_gray_to_a_colored_one(
    tiny_config: Callable[..., StudentConfig],
) -> None:
    gray = np.random.default_rng(0).random((20, 30, 1), dtype=np.float32)
    color = np.repeat(gray, 3, axis=2)
    one, three = (new_student(tiny_config(channels=channels), LABELS) for channels in (1, 3))
    np.testing.assert_allclose(one.probabilities(color), one.probabilities(gray), atol=1e-4)
    np.testing.assert_allclose(three.probabilities(color), three.probabilities(gray), atol=1e-6)


def test_values_are_those_of_the_labels(tiny_config: Callable[..., StudentConfig]) -> None:
    student = new_student(tiny_config(), LABELS)
    probabilities = np.eye(3, dtype=np.float32).reshape(3, 1, 3)
    np.testing.assert_array_equal(student.values_of(probabilities), [[0, 2, 300]])


def test_squares_keep_places() -> None:
    """A ramp stays a ramp there and back, and classes move with the image."""
    ramp = np.linspace(0, 1, 48, dtype=np.float32)[None, :, None].repeat(40, axis=0)
    square = to_square(ramp, 32, 1)
    assert square.shape == (1, 32, 32)
    np.testing.assert_allclose(from_square(square, (40, 48))[0, :, 2:-2], ramp[:, 2:-2, 0], atol=0.02)
    classes = (ramp[..., 0] > 0.5).astype(np.uint8)
    moved = classes_to_square(classes, 32)
    np.testing.assert_array_equal(moved, square[0] > 0.5)


@pytest.mark.parametrize(
    ("settings", "fact"),
    [
        ({"network": "vgg"}, "network is 'vgg'"),
        ({"size_px": 100}, "multiple of 16"),
        ({"channels": 2}, "takes 1 or 3"),
        ({"learning_rate": 0.0}, "above 0"),
        ({"learning_rate": 1e-6}, "least_learning_rate from 0"),
        ({"dice_weight": 0.0, "entropy_weight": 0.0}, "not both 0"),
        ({"batch_size": 0}, "batch_size, epochs and steps must be"),
    ],
)
def test_what_a_config_refuses(settings: dict[str, Any], fact: str) -> None:
    with pytest.raises(ConfigError, match=fact):
        StudentConfig(**settings)


def samples(count: int, depth: int | None = None) -> list[Sample]:
    rng = np.random.default_rng(0)
    shape = (32, 32) if depth is None else (depth, 32, 32)
    return [
        Sample(rng.random((1, *shape)).astype(np.float16), rng.integers(0, 2, shape).astype(np.uint8))
        for _ in range(count)
    ]


def test_every_epoch_shows_each_sample_once(tiny_config: Callable[..., StudentConfig]) -> None:
    config = tiny_config(batch_size=2, epochs=3, steps=None, augment=False)
    marked = [replace(each, weight=float(number)) for number, each in enumerate(samples(4))]
    batches = Batches(marked, config, None)
    assert batches.total == 6
    shown = [batches.batch(step).weights.tolist() for step in range(6)]
    epochs = [sorted(shown[2 * epoch] + shown[2 * epoch + 1]) for epoch in range(3)]
    assert epochs == [[0.0, 1.0, 2.0, 3.0]] * 3
    assert shown[:2] != shown[2:4]


def test_augmentation_moves_image_and_classes_together() -> None:
    augmentation = Augmentation(is_3d=False)
    classes = torch.zeros(32, 32, dtype=torch.uint8)
    classes[10:22, 8:20] = 1
    image = classes.float()[None] * 0.8 + 0.1
    for seed in range(10):
        moved, found = augmentation(image, classes, seed)
        assert set(found.unique().tolist()) <= {0, 1, IGNORED}
        known = found != IGNORED
        agree = ((moved[0] > moved[0][known].mean()) == (found == 1))[known].float().mean()
        assert agree > 0.93, (seed, agree)
    again = augmentation(image, classes, 3)
    torch.testing.assert_close(again, augmentation(image, classes, 3))


def test_a_stack_gives_patches_of_one_depth(tiny_config: Callable[..., StudentConfig]) -> None:
    config = tiny_config(network="dynunet", depth_px=16, batch_size=1, augment=False)
    for depth in (9, 40):
        (sample,) = samples(1, depth)
        batch = Batches([sample], config, None).batch(0)
        assert batch.images.shape == (1, 1, 16, 32, 32)
        assert (batch.classes == IGNORED).flatten(2).all(2).sum() == max(0, 16 - depth)


def test_a_3d_student_learns_and_labels_any_depth(tiny_config: Callable[..., StudentConfig]) -> None:
    config = tiny_config(network="dynunet", depth_px=16, steps=2, batch_size=1, features=(4, 4, 8, 8, 8, 4))
    student = new_student(config, LABELS[:1])
    train_on_samples(student, samples(2, 20), Silent())
    found = student.volume_probabilities([np.zeros((24, 20, 1), dtype=np.float32)] * 21)
    assert found.shape == (2, 21, 24, 20)
    with pytest.raises(StudentError, match="volumes"):
        student.probabilities(np.zeros((24, 20, 1), dtype=np.float32))


def test_a_3d_student_goes_on_from_its_checkpoint_and_comes_back_from_its_file(
    tiny_config: Callable[..., StudentConfig], stops_after: type[StopsAfter], tmp_path: Path
) -> None:
    """MONAI's DynUNet names each block twice; what is written holds it once, and nothing is lost."""
    config = tiny_config(
        network="dynunet",
        depth_px=16,
        steps=3,
        batch_size=1,
        features=(4, 4, 8, 8, 8, 4),
        checkpoint_seconds=0.0,
    )
    undisturbed, stopped, resumed = (new_student(config, LABELS[:1]) for _ in range(3))
    checkpoint = tmp_path / "c.safetensors"
    train_on_samples(undisturbed, samples(2, 20), Silent())
    with pytest.raises(KeyboardInterrupt):
        train_on_samples(stopped, samples(2, 20), stops_after(1), checkpoint=checkpoint)
    train_on_samples(resumed, samples(2, 20), Silent(), checkpoint=checkpoint)
    assert student_digest(resumed) == student_digest(undisturbed) != student_digest(stopped)
    path = save_student(resumed, tmp_path / "s.safetensors")
    held = sum(tensor.nbytes for tensor in load_file(path).values())
    assert held == sum(each.nbytes for each in resumed.network.parameters())
    read = load_student(path)
    assert student_digest(read) == student_digest(resumed)
    stack = [np.random.default_rng(0).random((24, 20, 1), dtype=np.float32)] * 17
    np.testing.assert_array_equal(read.volume_probabilities(stack), resumed.volume_probabilities(stack))


def test_labels_lie_on_the_volumes_own_grid(
    tiny_config: Callable[..., StudentConfig], phantom: MakePhantom
) -> None:
    made = phantom(axcodes="PIR").volume
    student = new_student(tiny_config(), LABELS, Window(-200, 200, "hu"))
    found = label_by_student(made, student)
    assert found.labels.shape == made.shape
    np.testing.assert_array_equal(found.labels.affine_ras_mm, made.affine_ras_mm)
    assert set(found.scores) == set(np.unique(found.labels.voxels).tolist()) - {0}
    assert all(1 / 3 <= score <= 1 for score in found.scores.values())
    flat = Volume(np.full((8, 8, 3), 7, dtype=np.int16), np.eye(4))
    with pytest.raises(StudentError, match="shows nothing"):
        label_by_student(flat, replace(student, window=Window(0, 100, "percentile")))
