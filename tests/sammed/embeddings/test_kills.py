"""Processes that are killed while they write, and processes that write at once, with entries of real size.

All of it happens in one Python that forks: importing torch for each process would take most of the time.
"""

import json
from collections.abc import Callable

PRELUDE = """
import json, os, random, signal, time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from torch.nn import functional as F

from sammed.backbones.frame import Frame
from sammed.embeddings.cache import EmbeddingCache
from sammed.embeddings.cache_config import CacheConfig
from sammed.embeddings.entry import unpack
from sammed.embeddings.scan import open_scan
from sammed_volumes.intensity import Window
from sammed_volumes.volume import Volume

torch.set_num_threads(1)  # a process that was forked has one
SLICES = range(24)
FOLDER = Path("cache/embeddings")


class Backbone(SimpleNamespace):
    digest, dtype, device = "of weights", torch.float32, torch.device("cpu")
    embedding_size, image_size, count = 64, 256, 0

    def frame(self, height, width, spacing_mm):
        return Frame(height, width, spacing_mm, 256, 256)

    def prepare(self, image, frame):
        return frame.image_to_sam(image)

    def encode(self, pixels):
        self.count += len(pixels)
        return F.avg_pool2d(pixels[:, :1], 4) * torch.linspace(0.5, 2, 256)[:, None, None]


def encoded(cached=True):
    voxels = np.random.default_rng(0).integers(0, 100, (32, 32, len(SLICES)), dtype=np.int16)
    volume = Volume(voxels, np.diag([1.0, 1.0, 2.0, 1.0]))
    cache = EmbeddingCache(CacheConfig(FOLDER)) if cached else None
    return open_scan(volume, Backbone(), window=Window(0, 100, "value"), cache=cache)


def forked(work):
    child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        finally:
            os._exit(1)
    return child


def files():
    return list(FOLDER.rglob("*.safetensors"))


def entries():
    return [path for path in files() if not path.name.startswith(".")]


def check_whole():
    for path in entries():
        unpack(path.stem, path.read_bytes(), 64)


def finished():
    again, fresh = encoded(), encoded(cached=False)
    same = torch.equal(again.embeddings(SLICES), fresh.embeddings(SLICES))
    return again.backbone.count, same
"""

KILLS = """
rng = random.Random(0)
after = []
for _ in range(6):
    before = set(files())
    child = forked(lambda: encoded().encode(SLICES))
    give_up = time.monotonic() + 20  # when all is written there is nothing new to see
    while not set(files()) - before and len(entries()) < len(SLICES) and time.monotonic() < give_up:
        pass
    time.sleep(rng.uniform(0, 0.02))  # a write takes some milliseconds
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    check_whole()
    after.append(len(entries()))
print(json.dumps([after, *finished()]))
"""

TOGETHER = """
children = [forked(lambda: encoded().encode(SLICES)) for _ in range(3)]
statuses = [os.waitpid(child, 0)[1] for child in children]
check_whole()
print(json.dumps([statuses, len(entries()), len(files()), *finished()]))
"""


def test_a_kill_at_any_moment_costs_no_whole_entry_and_leaves_no_broken_one(
    run_python: Callable[[str], str],
) -> None:
    after, encoded_again, same = json.loads(run_python(PRELUDE + KILLS))
    assert after == sorted(after), "a whole entry went"
    assert after[0] < 24, "no kill came in the middle"
    assert encoded_again == 24 - after[-1], "the next run encodes what is missing and no more"
    assert same


def test_processes_share_a_cache(run_python: Callable[[str], str]) -> None:
    statuses, whole, files, encoded_again, same = json.loads(run_python(PRELUDE + TOGETHER))
    assert statuses == [0, 0, 0]
    assert (whole, files) == (24, 24)
    assert encoded_again == 0
    assert same
