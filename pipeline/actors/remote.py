"""The networks of a remote plan, as a worker sees them: small arrays go to a server, and an answer or an error comes back."""

from __future__ import annotations

import itertools
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from pipeline.actors.network_server import server_name
from pipeline.domain.plan import Plan
from pipeline.errors import ApoyoError, Misconfigured, Unavailable
from pipeline.networks.api import Array, Net, Networks
from pipeline.settings import Settings
from pipeline.wiring import local_networks, plan_networks

ANSWER_SECONDS = 5.0
"""A quarter of an attempt's time (design, decision 5): a server answers in milliseconds, or has died."""
START_SECONDS = 1800.0
"""How long a worker waits for the servers at its own start: they warm every closed shape, and TensorRT builds its engines."""


def worker_networks(plan: Plan, settings: Settings) -> Networks:
    """What a worker runs its networks by: the servers of a remote plan, its own of a local one. Raises `Misconfigured`,
    `Unavailable`."""
    return RemoteNetworks(plan.servers, local_networks().digests()) if plan.servers else plan_networks(plan, settings)


class RemoteNetworks:
    """Implements `pipeline.networks.api.Networks` over the actors named `networks-0`, `networks-1` …, in turn."""

    def __init__(self, servers: int, digests: dict[str, str]) -> None:
        """digests: of the weights that this installation names. Raises `Misconfigured` where a server holds others,
        `Unavailable` where none answers."""
        self._names = [server_name(number) for number in range(servers)]
        self._turn = itertools.count()
        self._actors: dict[str, Any] = {}
        self._digests = digests
        for name in self._names:
            if self._ask(name, "digests", timeout=START_SECONDS) != digests:
                raise Misconfigured(f"{name} holds other weights than this worker: start both from one installation",
                                    code="plan_other_weights")

    def run(self, name: Net, batch: Array) -> tuple[Array, ...]:
        """See `Networks.run`. Raises `Unavailable` where a server does not answer: the support waits, and is not judged."""
        server = self._names[next(self._turn) % len(self._names)]
        outputs: tuple[Array, ...] = self._ask(server, "run", str(name), batch, ANSWER_SECONDS, timeout=2 * ANSWER_SECONDS)
        return outputs

    def digests(self) -> dict[str, str]:
        """SHA-256 by name, of every network that this plan holds."""
        return self._digests

    def _ask(self, server: str, method: str, *arguments: Any, timeout: float) -> Any:
        try:
            if server not in self._actors:
                self._actors[server] = ray.get_actor(server)
            return ray.get(getattr(self._actors[server], method).remote(*arguments), timeout=timeout)
        except RayTaskError as error:
            if isinstance(error.cause, ApoyoError):
                raise error.cause from None
            raise
        except (RayError, ValueError) as error:  # ValueError: there is no actor of that name now
            self._actors.pop(server, None)
            raise Unavailable(f"{server}: {type(error).__name__}", code="networks_unavailable") from error
