"""A linear head on the backbone's embedding: its soft maximum, what it learns of places, and its slices."""

import math

import numpy as np
import pytest
import torch

from sammed.backbones.backbone import Backbone
from sammed.datasets.labeled_sets.labeled_set import LabeledSet
from sammed.datasets.pseudo.cam.classifier import Classifier, Pictures
from sammed.datasets.pseudo.cam.config import CamConfig, ClassifierConfig
from sammed.datasets.pseudo.cam.embedding import SIDE, EmbeddingHead, square_embedding
from sammed.datasets.pseudo.cam.presence import Task
from sammed.datasets.pseudo.cam.pseudo_labeler import CamLabeler
from sammed.datasets.pseudo.cam.reading import make_reader
from sammed.datasets.pseudo.cam.training import train_classifier
from sammed.datasets.pseudo.cam.viewing import view
from sammed.datasets.pseudo.pseudo_labeler import Tools
from sammed.datasets.students.scaling import to_square
from sammed.embeddings.scan import open_scan
from sammed.metrics.evaluation import dice
from sammed.progress import Silent
from sammed_volumes.intensity import Window
from tests.conftest import MakePhantom
from tests.sammed.conftest import Notes

from ..conftest import disc, mask_of

CONFIG = CamConfig(network="embedding")
CPU = torch.device("cpu")
NAMES = ("none", "organ")


@pytest.fixture(scope="module")
def embeddings() -> Pictures:
    """Forty embeddings of four channels; every second one has an organ, which channel 2 shows, somewhere."""
    generator = torch.Generator().manual_seed(0)
    found = torch.randn(40, 4, 8, 8, generator=generator)
    for index in range(1, 40, 2):
        found[index, 2, index % 6 : index % 6 + 2, 3:5] += 8
    return Pictures(found, torch.arange(40) % 2, tuple(f"case{index // 4}" for index in range(40)))


@pytest.fixture(scope="module")
def learned(embeddings: Pictures) -> Classifier:
    return train_classifier(embeddings, NAMES, CONFIG, seed=0, device=CPU, reporter=Silent())


def test_the_soft_maximum_by_hand() -> None:
    head = EmbeddingHead(1, NAMES, sharpness=2.0).eval()
    with torch.no_grad():
        head.weights[1] = 1.0
    cells = torch.tensor([[[[0.0, 1.0], [2.0, 3.0]]]])
    mean = sum(math.exp(2 * value) for value in (0, 1, 2, 3)) / 4
    spread = math.sqrt(1 + 1e-5)  # the norm's, which has seen nothing yet
    found = head(cells * spread)[0].tolist()
    assert found == pytest.approx([0.0, math.log(mean) / 2], rel=1e-4), "none has no place and speaks never"


def test_an_equal_map_is_its_own_soft_maximum() -> None:
    head = EmbeddingHead(1, ("a", "b"), sharpness=4.0).eval()
    with torch.no_grad():
        head.biases.copy_(torch.tensor([0.5, -1.0]))
    assert head(torch.zeros(1, 1, 3, 3))[0].tolist() == pytest.approx([0.5, -1.0])


def test_presence_teaches_which_channel_shows_the_organ(learned: Classifier) -> None:
    assert isinstance(learned.network, EmbeddingHead)
    weights = learned.network.weights[1].abs()
    assert weights.argmax() == 2
    assert learned.mean_recall > 0.9
    assert learned.start == "the backbone's embedding"


def test_the_map_shines_where_the_organ_is(learned: Classifier, embeddings: Pictures) -> None:
    reader = make_reader(Task((0, 1), NAMES), learned, CONFIG)
    for index in (1, 9, 23):
        map_ = reader.map(embeddings.pixels[index][None], 1, (8, 8))
        y, x = np.unravel_index(map_.argmax(), map_.shape)
        assert (int(y) - index % 6, int(x) - 3) in {(0, 0), (0, 1), (1, 0), (1, 1)}
        assert map_.max() == 1


def test_it_learns_the_same_every_time(learned: Classifier, embeddings: Pictures) -> None:
    state = torch.random.get_rng_state()
    again = train_classifier(embeddings, NAMES, CONFIG, seed=0, device=CPU, reporter=Silent())
    assert again.digest() == learned.digest()
    assert torch.equal(torch.random.get_rng_state(), state), "torch's own random state was left changed"


def test_the_padding_beside_a_slice_is_not_seen(phantom: MakePhantom, tiny_backbone: Backbone) -> None:
    scan = open_scan(phantom(modality="mr").volume, tiny_backbone, window=Window(0, 99.5, "percentile"))
    whole = scan.embeddings([1])[0].float()
    frame, side = scan.frame, whole.shape[-1]
    rows = math.ceil(side * frame.content_height / frame.size)
    columns = math.ceil(side * frame.content_width / frame.size)
    assert min(rows, columns) < side, "the phantom's slices would have to be square"
    found = square_embedding(scan, 1)
    assert found.shape == (whole.shape[0], SIDE, SIDE)
    # Averages weigh all cells alike where the square's side is a multiple of theirs.
    inside = whole[:, :rows, :columns]
    assert found.amin() >= inside.amin() - 1e-6
    assert found.amax() <= inside.amax() + 1e-6
    corners = found[:, [0, 0, -1, -1], [0, -1, 0, -1]]
    own = inside[:, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert torch.allclose(corners, own, atol=1e-5)


def test_a_resnet_sees_pixels(phantom: MakePhantom, tiny_backbone: Backbone) -> None:
    scan = open_scan(phantom(modality="mr").volume, tiny_backbone, window=Window(0, 99.5, "percentile"))
    found = view(scan, 2, ClassifierConfig(image_size=48))
    assert np.array_equal(found.numpy(), to_square(scan.image(2)[:, :, None], 48, 1))


def test_presence_alone_yields_a_mask(
    disc_set: LabeledSet, brightness_backbone: Backbone, notes: Notes
) -> None:
    labeler = CamLabeler(CONFIG, Tools(lambda: brightness_backbone))
    gold = disc_set.keep(lambda case: case.is_gold)
    found, empty = labeler.label(gold, disc_set.unlabeled, notes)
    assert dice(mask_of(found), disc((30, 15))) > 0.9
    assert empty.outcome == "nothing"
    assert "embedding, the backbone's embedding, separates none, disc" in notes.messages[0]
