import zlib

import pytest

from sammed_volumes.deflate import inflate
from sammed_volumes.errors import UnreadableVolumeError


def test_what_goes_in_comes_out() -> None:
    data = bytes(100_000)  # zeros, which deflate packs as tightly as it can
    assert inflate(zlib.compress(data), zlib.MAX_WBITS, len(data)) == data


@pytest.mark.parametrize("size", [10**12, 10**30, -1])
def test_a_size_that_can_not_be(size: int) -> None:
    with pytest.raises(UnreadableVolumeError, match="states more voxels than it holds"):
        inflate(zlib.compress(b"some voxels"), zlib.MAX_WBITS, size)
