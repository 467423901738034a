"""Clusters: volumes go to workers of Dask's `distributed`, on this machine or on several.

Each worker loads the model once and labels one volume at a time. A volume whose worker dies goes to another
worker. The ledger (`sammed.batch.ledger`) limits how often: Dask's own count would also blame volumes that
only waited on the same worker.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import uuid
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Generic

from sammed.batch.place import GPU, SLOT, Item, Opener, Result
from sammed.errors import ConfigError

if TYPE_CHECKING:
    from distributed import Client, Future, LocalCluster

RESUBMISSIONS = 6
_PATIENCE_S = 20
_RESTART_S = 600


@dataclass(frozen=True, slots=True)
class ClusterConfig:
    """`workers` processes on this machine, which has `gpus` graphics cards, or the cluster at `address`.

    With `needs_gpu`, only workers with the resource GPU get volumes.
    """

    workers: int | None = None
    address: str | None = None
    needs_gpu: bool = False
    gpus: int = 0


@dataclass(frozen=True, slots=True)
class Lost:
    """An item whose workers all died before they returned a result."""

    reason: str


def run_on_workers(
    config: ClusterConfig,
    opener: Opener[Item, Result],
    items: Sequence[Item],
    is_late: Callable[[Result], bool],
) -> Generator[tuple[Item, Result | Lost], None, None]:
    """Yield items with their results as they arrive; an item whose result `is_late` runs again at the end.

    Raises here what loading raises on a worker. Raises ConfigError if Dask is not installed, if there is no
    cluster at the address, and if no worker has the graphics card that is needed.
    """
    _check_dask()
    from sammed.batch.worker import WorkerOpening

    name = f"sammed-{uuid.uuid4().hex[:8]}"
    with _client(config) as client:
        _check_resources(config, client)
        client.register_plugin(WorkerOpening(opener, config.workers, config.gpus), name=name)
        crowd: _Crowd[Item, Result] = _Crowd(
            client, name, {SLOT: 1, GPU: 1} if config.needs_gpu else {SLOT: 1}, items
        )
        try:
            yield from crowd.results(is_late)
        finally:
            with contextlib.suppress(Exception):  # the cluster may be gone
                client.unregister_worker_plugin(name)


@dataclass(frozen=True, slots=True)
class _Trial:
    """One attempt at an item, after `deaths` of its workers; `is_second` if an earlier result was late."""

    index: int
    deaths: int = 0
    is_second: bool = False


class _Crowd(Generic[Item, Result]):
    """The items in flight: one per worker, so that a death costs little and the last items are shared."""

    def __init__(
        self, client: Client, plugin: str, resources: dict[str, float], items: Sequence[Item]
    ) -> None:
        self._client, self._plugin, self._resources, self._items = client, plugin, resources, items
        self._waiting = deque(_Trial(index) for index in range(len(items)))
        self._out: dict[Future[Any], _Trial] = {}

    def results(self, is_late: Callable[[Result], bool]) -> Iterator[tuple[Item, Result | Lost]]:
        from distributed import as_completed

        completed = as_completed([])
        try:
            self._send(completed)
            for future in completed:
                trial = self._out.pop(future)
                found = self._result(future, trial)
                if found is None:
                    self._waiting.appendleft(replace(trial, deaths=trial.deaths + 1))
                elif isinstance(found, Lost) or trial.is_second or not is_late(found):
                    yield self._items[trial.index], found
                else:
                    self._waiting.append(replace(trial, is_second=True))
                self._send(completed)
        finally:
            self._client.cancel(list(self._out), force=True)

    def _send(self, completed: Any) -> None:
        """Submit as many items as there are free workers now."""
        room = max(1, len(self._client.nthreads())) - len(self._out)
        for _ in range(min(room, len(self._waiting))):
            trial = self._waiting.popleft()
            future = self._submit(trial)
            self._out[future] = trial
            completed.add(future)

    def _submit(self, trial: _Trial) -> Future[Any]:
        from sammed.batch.worker import do

        key = f"{self._plugin}-{trial.index}-{trial.deaths}-{int(trial.is_second)}"
        item = self._items[trial.index]
        return self._client.submit(do, self._plugin, item, key=key, resources=self._resources)

    def _result(self, future: Future[Any], trial: _Trial) -> Result | Lost | None:
        """Return the outcome, or None if the item has to be submitted again."""
        from distributed import KilledWorker

        error = future.exception()
        if error is None:
            result: Result = future.result()
            return result
        if not isinstance(error, KilledWorker):
            raise error
        if trial.deaths < RESUBMISSIONS:
            return None
        return Lost("every worker that processed it died; see the logs of the cluster")


def _check_dask() -> None:
    if importlib.util.find_spec("distributed") is None:
        raise ConfigError(
            "Sharing work among processes needs Dask, which is not installed: pip install 'sammed[cluster]'."
        )


@contextlib.contextmanager
def _client(config: ClusterConfig) -> Iterator[Client]:
    """Connect to the cluster; a cluster on this machine is started first and closed at the end."""
    from distributed import Client

    if config.address is None:
        with _local_cluster(config) as cluster, Client(cluster) as client:
            yield client
        return
    try:
        client = Client(config.address, timeout=_PATIENCE_S)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"There is no Dask scheduler at {config.address} ({error}); give an address such as "
            "tcp://node3:8786."
        ) from error
    with client:
        yield client


@contextlib.contextmanager
def _local_cluster(config: ClusterConfig) -> Iterator[LocalCluster]:
    import dask
    from distributed import LocalCluster

    # Dask restarts a worker that died; on a busy machine that takes longer than Dask waits by default.
    with (
        dask.config.set({"distributed.deploy.lost-worker-timeout": _RESTART_S}),
        LocalCluster(
            n_workers=config.workers,
            threads_per_worker=1,  # one volume at a time; the worker itself limits its cores
            processes=True,
            memory_limit=0,  # no limit: Dask would only pause or kill a worker with a large volume
            dashboard_address=None,
            silence_logs=logging.CRITICAL,
            resources={SLOT: 1, **({GPU: 1} if config.gpus else {})},
        ) as cluster,
    ):
        yield cluster


def _check_resources(config: ClusterConfig, client: Client) -> None:
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    if config.needs_gpu and workers and not any(GPU in worker["resources"] for worker in workers):
        raise ConfigError(
            "No worker of the cluster offers a graphics card; start them with "
            "`dask worker --resources GPU=1`, or leave --device at auto."
        )
