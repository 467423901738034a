"""The classifier: its head, its weights, what it learns, and when it says that it can't."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torchvision.models import resnet18

from sammed.datasets.pseudo.cam.classifier import (
    Classifier,
    ClassRow,
    Pictures,
    as_imagenet,
    build_resnet,
    class_rows,
)
from sammed.datasets.pseudo.cam.config import ClassifierConfig
from sammed.datasets.pseudo.cam.training import check_separates, hold_out, train_classifier
from sammed.errors import AnnotationError, CheckpointError
from sammed.progress import Silent

SMALL = ClassifierConfig(image_size=32, epochs=2, batch_size=8, learning_rate=1e-3, dropout=0.2)
CPU = torch.device("cpu")


def noise(count: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(count, 1, 32, 32, generator=torch.Generator().manual_seed(seed)) * 0.3


@pytest.fixture(scope="module")
def pictures() -> Pictures:
    """Forty pictures of ten cases: with a bright square, and without."""
    pixels = noise(40)
    classes = torch.arange(40) % 2
    for index in torch.nonzero(classes)[:, 0].tolist():
        pixels[index, 0, 4 + index % 12 : 14 + index % 12, 8:18] += 0.6
    return Pictures(pixels, classes, tuple(f"case{index // 4}" for index in range(40)))


@pytest.fixture(scope="module")
def learned(pictures: Any) -> Classifier:
    return train_classifier(pictures, ("none", "square"), SMALL, seed=0, device=CPU, reporter=Silent())


def test_it_learns_what_can_be_told_apart(learned: Classifier, pictures: Any) -> None:
    assert learned.mean_recall > 0.8
    assert [row.name for row in learned.rows] == ["none", "square"]
    assert sum(row.pictures for row in learned.rows) == 8  # of 40, a fifth are held out
    assert learned.start == "from scratch"
    fresh = noise(4, seed=9)
    fresh[:2, 0, 10:20, 8:18] += 0.6
    assert (learned.probabilities(fresh).argmax(dim=1) == torch.tensor([1, 1, 0, 0])).all()


def test_the_same_seed_gives_the_same_classifier(pictures: Any) -> None:
    few = Pictures(pictures.pixels[:8], pictures.classes[:8], pictures.cases[:8])
    config = replace(SMALL, epochs=1)
    state = torch.random.get_rng_state()
    one, other = (
        train_classifier(few, ("none", "square"), config, seed=0, device=CPU, reporter=Silent())
        for _ in range(2)
    )
    assert one.digest() == other.digest()
    assert torch.equal(torch.random.get_rng_state(), state), "torch's own random state was left changed"


def test_what_cannot_be_told_apart_is_said(learned: Classifier) -> None:
    rows = (ClassRow("none", 0.5, 0.9, 0.6, 10), ClassRow("square", 0.5, 0.25, 0.3, 10))
    guessing = replace(learned, rows=rows)
    sentence = r"can't separate none, square: .* 0\.57, .* guessing gives 0\.50"
    with pytest.raises(AnnotationError, match=sentence):
        check_separates(guessing, 0.1)
    check_separates(guessing, 0.05)
    check_separates(learned, 0.1)


def test_a_class_of_one_picture_teaches_nothing() -> None:
    one = Pictures(noise(5), torch.tensor([0, 0, 0, 0, 1]), ("a", "b", "c", "d", "e"))
    with pytest.raises(AnnotationError, match=r"too few: square \(1\)"):
        train_classifier(one, ("none", "square"), SMALL, seed=0, device=CPU, reporter=Silent())


def test_whole_cases_are_held_out(pictures: Any) -> None:
    held = hold_out(pictures, 0.2, np.random.default_rng(0))
    cases = {case for case, out in zip(pictures.cases, held, strict=True) if out}
    assert len(cases) == 2
    assert all((case in cases) == bool(out) for case, out in zip(pictures.cases, held, strict=True))


def test_of_a_single_volume_slices_of_each_class_are_held_out() -> None:
    single = Pictures(noise(10), torch.tensor([0] * 8 + [1] * 2), ("volume",) * 10)
    held = hold_out(single, 0.2, np.random.default_rng(0))
    assert held[:8].sum() == 2
    assert held[8:].sum() == 1


def test_the_extra_head_is_relu_dropout_and_one_layer() -> None:
    network = build_resnet(ClassifierConfig(), 3, seed=0)
    relu, dropout, layer = network.head
    assert isinstance(relu, nn.ReLU)
    assert dropout.p == 0.7
    assert isinstance(layer, nn.Linear)
    assert (layer.in_features, layer.out_features) == (1000, 3)
    assert not any(module.inplace for module in network.modules() if isinstance(module, nn.ReLU))


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_weights_from_a_file_are_taken(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"imagenet{suffix}"
    torch.manual_seed(3)
    state = resnet18(weights=None).state_dict()
    torch.save(state, path) if suffix == ".pth" else save_file(state, path)
    network = build_resnet(ClassifierConfig(weights=path), 2, seed=0)
    assert torch.equal(network.trunk.conv1.weight, state["conv1.weight"])
    assert torch.equal(network.trunk.fc.bias, state["fc.bias"])


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "imagenet.pth"
    torch.save(resnet18(weights=None).state_dict(), path)
    with pytest.raises(CheckpointError, match="does not hold the weights of resnet50"):
        build_resnet(ClassifierConfig(network="resnet50", weights=path), 2, seed=0)


class Trap:
    def __reduce__(self) -> tuple[Any, ...]:
        return (exec, ("raise SystemExit('code in a file of weights was run')",))


@pytest.mark.parametrize("content", ["text", "code"])
def test_a_file_that_is_no_weights_is_refused_and_not_run(tmp_path: Path, content: Any) -> None:
    path = tmp_path / "weights.pth"
    path.write_text("no weights") if content == "text" else torch.save({"conv1.weight": Trap()}, path)
    with pytest.raises(CheckpointError, match="weights"):
        build_resnet(ClassifierConfig(weights=path), 2, seed=0)


def test_precision_recall_and_f1_by_hand() -> None:
    truth, found = torch.tensor([0, 0, 0, 1, 1]), torch.tensor([0, 0, 1, 1, 0])
    none, square, absent = class_rows(truth, found, ("none", "square", "absent"))
    assert (none.precision, none.recall, none.f1) == pytest.approx((2 / 3, 2 / 3, 2 / 3))
    assert (square.precision, square.recall, square.f1) == pytest.approx((0.5, 0.5, 0.5))
    assert (absent.precision, absent.recall, absent.f1, absent.pictures) == (0, 0, 0, 0)


def test_pixels_get_imagenets_mean_and_spread() -> None:
    gray = torch.full((1, 1, 2, 2), 0.5)
    assert as_imagenet(gray)[0, :, 0, 0].tolist() == pytest.approx(
        [(0.5 - 0.485) / 0.229, (0.5 - 0.456) / 0.224, (0.5 - 0.406) / 0.225]
    )
