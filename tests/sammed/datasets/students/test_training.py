"""Training: it learns, it is the same every time, and a kill costs nothing but time."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sammed.datasets.labeled_sets.pictures import Picture
from sammed.datasets.students.config import StudentConfig
from sammed.datasets.students.samples import Sample, picture_sample
from sammed.datasets.students.student import Student, new_student
from sammed.datasets.students.student_file import load_student, student_digest
from sammed.datasets.students.training import learning_rate, train_on_samples, train_student
from sammed.errors import AnnotationError, ConfigError, StudentError
from sammed.metrics.evaluation import dice
from sammed.progress import Silent
from sammed_volumes.labels import Label
from tests.sammed.datasets.conftest import labels_of
from tests.sammed.datasets.students.conftest import StopsAfter

DISC = Label(3, "disc", (255, 0, 0))
ROOT = Path(__file__).parents[3]


def train(pictures: Sequence[Picture], config: StudentConfig, **settings: Any) -> Student:
    return train_student(pictures, (DISC,), config, Silent(), **settings)


@pytest.mark.parametrize("loss", ["dice+bce", "dice+ce"])
def test_a_student_learns_what_it_is_shown(
    pictures: Callable[..., list[Picture]], tiny_config: Callable[..., StudentConfig], loss: str
) -> None:
    student = train(pictures(10), tiny_config(loss=loss, steps=50))
    unseen = pictures(4, seed=9)
    scores = [dice(student.label_map(each.image) == 3, labels_of(each) == 3) for each in unseen]
    assert min(scores) > 0.75, scores
    probabilities = student.probabilities(unseen[0].image)
    assert probabilities.shape == (2, 40, 48)
    np.testing.assert_allclose(probabilities.sum(axis=0), 1, atol=1e-5)


def test_unet_plus_plus_takes_the_same_path(
    pictures: Callable[..., list[Picture]], tiny_config: Callable[..., StudentConfig]
) -> None:
    student = train(pictures(4), tiny_config(network="unet++", steps=2))
    assert student.probabilities(pictures(1)[0].image).shape == (2, 40, 48)


def test_the_seed_decides_everything(
    pictures: Callable[..., list[Picture]], tiny_config: Callable[..., StudentConfig]
) -> None:
    first, again, other = (
        student_digest(train(pictures(5), tiny_config(steps=4, seed=seed))) for seed in (0, 0, 1)
    )
    assert first == again != other


def test_ignored_pixels_teach_nothing(
    pictures: Callable[..., list[Picture]], tiny_config: Callable[..., StudentConfig]
) -> None:
    """What stands where a pixel is ignored makes no difference to the student."""
    shown = pictures(4)
    ignore = np.zeros((40, 48), dtype=bool)
    ignore[:20] = True
    lied = [replace(each, labels=np.where(ignore, 3 - labels_of(each), labels_of(each))) for each in shown]
    config = tiny_config(steps=3, augment=False)
    honest, false = (
        student_digest(train([replace(each, ignore=ignore) for each in group], config))
        for group in (shown, lied)
    )
    assert honest == false
    assert student_digest(train(lied, config)) != honest


def test_a_weight_of_zero_teaches_nothing(
    pictures: Callable[..., list[Picture]], tiny_config: Callable[..., StudentConfig]
) -> None:
    shown = pictures(3)
    inverted = [replace(each, labels=(3 - labels_of(each)).astype(np.uint8)) for each in pictures(3, seed=4)]
    blank = [replace(each, labels=np.zeros_like(each.labels)) for each in inverted]
    config, weights = tiny_config(steps=4), [1.0, 1.0, 1.0, 0.0, 0.0, 0.0]
    digests = {
        student_digest(train([*shown, *group], config, weights=weights)) for group in (inverted, blank)
    }
    assert len(digests) == 1
    counted = {student_digest(train([*shown, *group], config)) for group in (inverted, blank)}
    assert len(counted) == 2


def test_a_start_gives_its_weights(
    pictures: Callable[..., list[Picture]], tiny_config: Callable[..., StudentConfig]
) -> None:
    start = train(pictures(3), tiny_config(steps=3))
    config = tiny_config(steps=1, learning_rate=1e-12, least_learning_rate=0.0, seed=5)
    went_on = train(pictures(3), config, start=start)
    for name, tensor in went_on.network.state_dict().items():
        torch.testing.assert_close(tensor, start.network.state_dict()[name], atol=1e-8, rtol=0)
    with pytest.raises(StudentError, match="another network"):
        train(pictures(3), tiny_config(features=(4, 4, 8, 8, 8, 4)), start=start)


def test_pictures_without_labels_are_passed_over(
    pictures: Callable[..., list[Picture]], tiny_config: Callable[..., StudentConfig]
) -> None:
    bare = Picture("bare", 0, np.zeros((40, 48, 1), dtype=np.float32), None)
    config = tiny_config(steps=2)
    assert student_digest(train([*pictures(2), bare], config)) == student_digest(train(pictures(2), config))
    with pytest.raises(AnnotationError, match="no labeled picture"):
        train([bare], config)


def test_the_learning_rate_falls_along_a_cosine(tiny_config: Callable[..., StudentConfig]) -> None:
    config = tiny_config(learning_rate=1.0, least_learning_rate=0.2)
    rates = [learning_rate(config, step, 100) for step in range(100)]
    assert rates[0] == 1.0
    assert rates[50] == pytest.approx(0.6)
    assert rates == sorted(rates, reverse=True)
    assert 0.2 < rates[-1] < 0.21


def test_logs_and_curves_are_written(
    pictures: Callable[..., list[Picture]], tiny_config: Callable[..., StudentConfig], tmp_path: Path
) -> None:
    train(pictures(4), tiny_config(steps=4), validation=pictures(2, seed=8), log=tmp_path / "log")
    (events,) = (tmp_path / "log").glob("events.out.tfevents*")
    assert b"validation Dice/disc" in events.read_bytes()
    assert (tmp_path / "log/curves.png").read_bytes().startswith(b"\x89PNG")


def test_a_checkpoint_of_something_else_is_refused(
    pictures: Callable[..., list[Picture]], tiny_config: Callable[..., StudentConfig], tmp_path: Path
) -> None:
    checkpoint = tmp_path / "c.safetensors"
    train(pictures(3), tiny_config(steps=2), checkpoint=checkpoint)
    with pytest.raises(StudentError, match="other samples"):
        train(pictures(3, seed=1), tiny_config(steps=2), checkpoint=checkpoint)
    with pytest.raises(StudentError, match="other config"):
        train(pictures(3), tiny_config(steps=3), checkpoint=checkpoint)
    checkpoint.write_bytes(checkpoint.read_bytes()[:-7])
    with pytest.raises(StudentError, match="cut short"):
        train(pictures(3), tiny_config(steps=2), checkpoint=checkpoint)


def test_2d_training_refuses_a_3d_network(
    pictures: Callable[..., list[Picture]], tiny_config: Callable[..., StudentConfig]
) -> None:
    with pytest.raises(ConfigError, match="volumes"):
        train(pictures(1), tiny_config(network="dynunet"))


def test_a_3d_network_refuses_pictures_alone(
    pictures: Callable[..., list[Picture]], tiny_config: Callable[..., StudentConfig]
) -> None:
    config = tiny_config(network="dynunet", depth_px=16)
    (picture,) = pictures(1)
    flat = picture_sample(picture, (DISC,), config)
    stack = Sample(flat.image[:, None], flat.classes[None])
    with pytest.raises(AnnotationError, match="all samples are pictures; use unet"):
        train_on_samples(new_student(config, (DISC,)), [stack], Silent())


def test_a_training_that_stops_at_any_step_ends_with_the_same_student(
    pictures: Callable[..., list[Picture]],
    tiny_config: Callable[..., StudentConfig],
    stops_after: type[StopsAfter],
    tmp_path: Path,
) -> None:
    """Interrupted after each step, in this process; the kill below shows that a process may die, too."""
    shown, checkpoint = pictures(3), tmp_path / "c.safetensors"
    config = tiny_config(optimizer="sgd", steps=4, checkpoint_seconds=0.0)
    undisturbed = train(shown, config)
    for stop in (1, 2, 3):
        with pytest.raises(KeyboardInterrupt):
            train_student(shown, (DISC,), config, stops_after(stop), checkpoint=checkpoint)
    resumed = train(shown, config, checkpoint=checkpoint)
    assert student_digest(resumed) == student_digest(undisturbed)


_PROGRAM = """
import sys
sys.path[:0] = {paths}
from pathlib import Path
import torch
from test_students_conftest import DISC, make_pictures
from sammed.progress import Silent
from sammed.datasets.students.config import StudentConfig
from sammed.datasets.students.student_file import save_student
from sammed.datasets.students.training import train_student
torch.set_num_threads(1)
config = StudentConfig(network="unet", size_px=32, features=(8, 8, 16, 16, 32, 8), optimizer="adam",
                       learning_rate=1e-2, steps=30, checkpoint_seconds=0.0, device="cpu")
student = train_student(make_pictures(5), (DISC,), config, Silent(), checkpoint=Path({checkpoint!r}))
save_student(student, Path({output!r}), overwrite=True)
"""


@pytest.fixture
def start_training(tmp_path: Path) -> Callable[[Path, Path], subprocess.Popen[bytes]]:
    """`start_training(output, checkpoint)`: training in a process of its own."""
    (tmp_path / "test_students_conftest.py").write_bytes((Path(__file__).parent / "conftest.py").read_bytes())
    paths = [str(tmp_path), str(ROOT), str(ROOT / "volumes")]

    def start(output: Path, checkpoint: Path) -> subprocess.Popen[bytes]:
        code = _PROGRAM.format(paths=paths, output=str(output), checkpoint=str(checkpoint))
        return subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "OMP_NUM_THREADS": "1"})

    return start


@pytest.mark.slow
def test_a_killed_training_ends_with_the_same_student(
    start_training: Callable[[Path, Path], subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    undisturbed, resumed = tmp_path / "undisturbed.safetensors", tmp_path / "resumed.safetensors"
    first, second = tmp_path / "first.safetensors", tmp_path / "second.safetensors"
    assert start_training(undisturbed, first).wait() == 0
    process = start_training(resumed, second)
    while process.poll() is None and not second.exists():
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "the training was over before it could be killed"
    assert not resumed.exists()
    assert start_training(resumed, second).wait() == 0
    assert student_digest(load_student(resumed)) == student_digest(load_student(undisturbed))
