"""The networks of a remote plan as an actor, one a GPU: it batches what all workers ask, and holds nothing that can be lost."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import ray

from pipeline import telemetry
from pipeline.cores import forbid_core_dumps
from pipeline.domain.plan import Plan
from pipeline.networks.api import Array, Net
from pipeline.networks.batcher import Batcher
from pipeline.settings import Settings
from pipeline.telemetry import configure_logging
from pipeline.wiring import known_shapes, plan_networks

CALLS_AT_ONCE = 512
"""Calls that one actor holds at one time: they only wait, and the batcher refuses past its own bound."""


WARM_SECONDS = 300.0
"""For one network in one shape: TensorRT builds its engine then."""


def server_name(number: int) -> str:
    return f"networks-{number}"


class NetworkServer:
    """The actor. Ready once every closed shape is warm; `work` runs until `drain`."""

    def __init__(self, settings: Settings, plan: Plan) -> None:
        forbid_core_dumps()
        configure_logging(file=settings.worker.log_file)
        networks = plan_networks(plan, settings)
        self._digests = networks.digests()
        self._batcher = Batcher(networks.run, plan.batch_sizes[-1], ran=_count)
        if plan.on_gpu:  # on the thread that will run all others
            for name, batch in networks.examples(known_shapes()):
                self._batcher.submit(name, batch, WARM_SECONDS).result()
        self._stop = asyncio.Event()

    async def pid(self) -> int:
        """Answers once the networks are warm."""
        return os.getpid()

    async def digests(self) -> dict[str, str]:
        return self._digests

    async def run(self, name: str, batch: Array, seconds: float) -> tuple[Array, ...]:
        """See `Networks.run`. Raises `Unavailable` where the device has no time within `seconds`."""
        return await asyncio.wrap_future(self._batcher.submit(Net(name), batch, seconds))

    async def work(self) -> None:
        await self._stop.wait()
        self._batcher.close()

    async def drain(self) -> None:
        self._stop.set()


def begin_server(settings: Settings, plan: Plan, number: int) -> Any:
    """The actor's handle; `pid` answers once it is warm. Ray restarts nothing: whoever keeps the actors does."""
    kind: Any = ray.remote(NetworkServer)
    return kind.options(
        name=server_name(number), num_cpus=0, num_gpus=plan.gpu_a_server, max_restarts=0, max_task_retries=0,
        max_concurrency=CALLS_AT_ONCE).remote(settings, plan)


def _count(name: Net, items: int) -> None:
    telemetry.NETWORK_BATCH.labels(name.value).observe(items)
