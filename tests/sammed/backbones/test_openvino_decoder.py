"""The mask decoder in OpenVINO: the same masks as torch's, and torch itself if OpenVINO fails."""

import logging
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from sammed.backbones import openvino
from sammed.backbones.backbone import Backbone
from sammed.backbones.openvino import ConversionError, OpenVinoDecoder, cache_key, load_decoder
from sammed.backbones.runtime import make_decoder


@pytest.fixture(scope="module")
def compiled(tiny_backbone: Backbone, tmp_path_factory: pytest.TempPathFactory) -> OpenVinoDecoder:
    folder = tmp_path_factory.mktemp("decoder")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SAMMED_CACHE", str(folder))
        decoder = load_decoder("tiny", 16, lambda: tiny_backbone.decoder)
        assert [path.name for path in (folder / "openvino").iterdir()] == [cache_key("tiny", "decoder")]

        def never() -> torch.nn.Module:
            raise AssertionError("the decoder was converted again")

        load_decoder("tiny", 16, never)
    return decoder


def inputs(prompts: int, tokens: int) -> tuple[Tensor, Tensor, Tensor]:
    random = torch.Generator().manual_seed(prompts * 100 + tokens)
    embeddings = torch.randn(prompts, 256, 16, 16, generator=random)
    return embeddings, torch.randn(prompts, tokens, 256, generator=random), torch.randn(1, 256, 1, 1)


@pytest.mark.parametrize(("prompts", "tokens"), [(1, 2), (3, 3), (2, 21)])
def test_any_number_of_prompts_and_tokens_gives_torchs_masks(
    tiny_backbone: Backbone, compiled: OpenVinoDecoder, prompts: int, tokens: int
) -> None:
    fast = replace(tiny_backbone, fast_decoder=compiled)
    embeddings, sparse, dense = inputs(prompts, tokens)
    with torch.inference_mode():
        of_torch = tiny_backbone.decode(embeddings, sparse, dense)
        of_openvino = fast.decode(embeddings, sparse, dense)
    for found, wanted in zip(of_openvino, of_torch, strict=True):
        torch.testing.assert_close(found, wanted, atol=1e-3, rtol=1e-3)


def test_one_embedding_serves_all_prompts(tiny_backbone: Backbone, compiled: OpenVinoDecoder) -> None:
    fast = replace(tiny_backbone, fast_decoder=compiled)
    embeddings, sparse, dense = inputs(3, 2)
    with torch.inference_mode():
        wanted = tiny_backbone.decode(embeddings[:1], sparse, dense)[0]
        torch.testing.assert_close(
            fast.decode(embeddings[:1], sparse, dense)[0], wanted, atol=1e-3, rtol=1e-3
        )


def test_training_uses_torch(tiny_backbone: Backbone) -> None:
    def refuse(_image: Tensor, _sparse: Tensor) -> tuple[Tensor, Tensor]:
        raise AssertionError("OpenVINO gives no gradients")

    fast = replace(tiny_backbone, fast_decoder=refuse)
    embeddings, sparse, dense = inputs(1, 2)
    sparse.requires_grad_()
    fast.decode(embeddings, sparse, dense)[0].sum().backward()
    assert sparse.grad is not None


def test_if_openvino_fails_torch_decodes_with_a_warning(
    tiny_backbone: Backbone, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_arguments: object) -> None:
        raise ConversionError("no such operation")

    monkeypatch.setattr(openvino, "load_decoder", fail)
    with caplog.at_level(logging.WARNING, logger="sammed"):
        decoder = make_decoder("tiny", tiny_backbone.decoder)
    assert decoder is tiny_backbone.decoder
    assert "OpenVINO can't run this backbone's decoder (no such operation)" in caplog.text


def test_a_conversion_that_computes_something_else_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SAMMED_CACHE", str(tmp_path))

    class Moody(torch.nn.Module):
        def forward(self, image_and_dense: Tensor, sparse: Tensor) -> Tensor:
            scale = 1.0 if torch.compiler.is_compiling() else 2.0
            return image_and_dense * scale + sparse.sum()

    with pytest.raises(ConversionError, match="the converted decoder differs from torch's"):
        load_decoder("moody", 16, Moody)
