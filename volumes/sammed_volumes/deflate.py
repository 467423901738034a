"""Deflate: decompress voxels whose number a header states."""

import zlib

from sammed_volumes.errors import UnreadableVolumeError

MOST_PER_BYTE = 1032
"""No stream of deflate holds more bytes for each of its own, by its format."""


def inflate(compressed: bytes, window: int, size: int) -> bytes:
    """Return the decompressed bytes, in a buffer that has the stated size at once.

    Raises UnreadableVolumeError before it takes memory if so few bytes can't hold the stated size, and
    zlib.error for a damaged stream. `window` is zlib's `wbits`.
    """
    if not 0 <= size <= MOST_PER_BYTE * len(compressed):
        raise UnreadableVolumeError("its header states more voxels than it holds; copy or export it again")
    return zlib.decompress(compressed, window, size)
