"""The settings of encoding: what is refused, and what they open."""

import pytest

from sammed.embeddings.config import EncodingConfig
from sammed.errors import ConfigError


def test_an_unknown_backbone() -> None:
    with pytest.raises(ConfigError, match=r"There is no backbone 'vgg'.*\.$"):
        EncodingConfig(backbone="vgg")


def test_without_a_cache_none_is_opened() -> None:
    assert EncodingConfig(cache=False).open_cache() is None
    assert EncodingConfig().open_cache() is not None
