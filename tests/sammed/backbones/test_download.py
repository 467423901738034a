import dataclasses
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sammed.backbones.download import download, fetch
from sammed.backbones.folders import weights_folder
from sammed.backbones.registry import BACKBONES, BackboneSpec
from sammed.errors import CheckpointError, ConfigError


def spec_of(server: Any) -> BackboneSpec:
    return dataclasses.replace(
        BACKBONES["sam-vit-b"], url=server.url, sha256=hashlib.sha256(server.content).hexdigest()
    )


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_download_lands_in_its_place_with_progress(file_server: Any, tmp_path: Path) -> None:
    spec, heard = spec_of(file_server), []
    path = download(spec, tmp_path / "new folder", progress=lambda done, total: heard.append((done, total)))
    assert path == tmp_path / "new folder" / spec.filename
    assert path.read_bytes() == file_server.content
    assert leftovers(path.parent) == [spec.filename]
    size = len(file_server.content)
    assert heard[-1] == (size, size)
    assert heard == sorted(heard)
    assert len(heard) > 2


def test_an_existing_file_is_not_downloaded_again(file_server: Any, tmp_path: Path) -> None:
    download(spec_of(file_server), tmp_path)
    download(spec_of(file_server), tmp_path)
    assert len(file_server.ranges) == 1


def test_a_damaged_file_is_replaced(file_server: Any, tmp_path: Path) -> None:
    spec = spec_of(file_server)
    (tmp_path / spec.filename).write_bytes(b"half")
    assert download(spec, tmp_path).read_bytes() == file_server.content


def test_a_broken_connection_is_resumed_where_it_broke(file_server: Any, tmp_path: Path) -> None:
    file_server.faults = [1_500_000, 2_000_000, None]
    assert download(spec_of(file_server), tmp_path).read_bytes() == file_server.content
    assert file_server.ranges == [None, "bytes=1500000-", "bytes=3500000-"]


def test_a_server_that_keeps_closing_leaves_a_part_for_the_next_try(file_server: Any, tmp_path: Path) -> None:
    spec = spec_of(file_server)
    file_server.faults = [1_500_000, 0]
    with pytest.raises(
        CheckpointError, match=r"keeps closing the connection.*resumes the download.*put it at"
    ):
        download(spec, tmp_path)
    assert leftovers(tmp_path) == [spec.filename + ".part"]
    assert download(spec, tmp_path).read_bytes() == file_server.content
    assert file_server.ranges[-1] == "bytes=1500000-"
    assert leftovers(tmp_path) == [spec.filename]


def test_a_server_without_ranges_starts_over(file_server: Any, tmp_path: Path) -> None:
    spec, heard = spec_of(file_server), []
    (tmp_path / (spec.filename + ".part")).write_bytes(b"old bytes of something else")
    file_server.faults = ["ignore-range"]
    path = download(spec, tmp_path, progress=lambda done, total: heard.append((done, total)))
    assert path.read_bytes() == file_server.content
    assert heard[-1] == (len(file_server.content), len(file_server.content))


def test_a_complete_part_is_used(file_server: Any, tmp_path: Path) -> None:
    spec = spec_of(file_server)
    (tmp_path / (spec.filename + ".part")).write_bytes(file_server.content)
    assert download(spec, tmp_path).read_bytes() == file_server.content
    assert file_server.ranges == [f"bytes={len(file_server.content)}-"]


@pytest.mark.parametrize("before", [b"", b"wrong beginning"], ids=["fresh", "resumed"])
def test_wrong_bytes_are_deleted(before: bytes, file_server: Any, tmp_path: Path) -> None:
    spec = spec_of(file_server)
    if before:
        (tmp_path / (spec.filename + ".part")).write_bytes(before)
    else:
        file_server.content = b"<html>Please log in</html>"
    with pytest.raises(CheckpointError, match=r"is not sam_vit_b_01ec64\.pth: its sha256 begins with"):
        download(spec, tmp_path)
    assert leftovers(tmp_path) == []


def test_an_error_of_the_server_states_what_to_put_where(file_server: Any, tmp_path: Path) -> None:
    file_server.faults = ["500"]
    with pytest.raises(CheckpointError, match=r"can't be downloaded.*Server Error.*put it at .*sam_vit_b"):
        download(spec_of(file_server), tmp_path)


def test_without_a_network_the_error_states_what_to_put_where(tmp_path: Path) -> None:
    spec = dataclasses.replace(BACKBONES["sam-vit-b"], url="http://127.0.0.1:9/sam_vit_b_01ec64.pth")
    with pytest.raises(CheckpointError) as caught:
        download(spec, tmp_path)
    assert "get sam_vit_b_01ec64.pth elsewhere" in str(caught.value)
    assert f"put it at {tmp_path / spec.filename}" in str(caught.value)


def test_a_folder_that_can_not_be_written_is_named(file_server: Any, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CheckpointError, match="can't be written"):
        download(spec_of(file_server), tmp_path / "file")


def test_a_full_disk_is_reported(file_server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: Callable[..., Any] = Path.open

    def full(path: Path, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        if "w" in mode:
            raise OSError(28, os.strerror(28))
        return opened(path, mode, *args, **kwargs)

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(
        CheckpointError, match=r"can't be written \(No space left on device\); choose another folder"
    ):
        download(spec_of(file_server), tmp_path)


def test_fetch_by_name_needs_no_network_for_the_default_and_explains_medsam() -> None:
    assert fetch("lite-medsam").name == "lite_medsam.pth"
    with pytest.raises(
        CheckpointError, match=r"medsam-vit-b can't be downloaded automatically.*Google Drive"
    ):
        fetch("medsam-vit-b")
    with pytest.raises(ConfigError, match="no backbone 'x'"):
        fetch("x")


def test_fetch_puts_files_where_loading_finds_them(file_server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from sammed.backbones import download as module
    from sammed.backbones.weights import find

    spec = spec_of(file_server)
    monkeypatch.setattr(module, "backbone_spec", lambda _name: spec)
    assert fetch("sam-vit-b") == weights_folder() / spec.filename == find(spec)
