"""The networks in this process: each worker's own, or a server's."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from models.registry import Weight
from pipeline.domain.plan import CPU_SIZES, Device
from pipeline.errors import Misconfigured
from pipeline.networks.api import Array, Net
from pipeline.networks.batching import run_in_batches
from pipeline.networks.session import Session

ALONE = (1,)
"""For pictures on a CPU: two of them no longer fit its cache (the recogniser: 12.9 ms an item in threes, 12.0 alone)."""

_WARM_LENGTH = 64
"""For an open dimension in a warm-up run: a multiple of every stride."""
_WARM_RUNS = 3
"""On CUDA: the first runs plainly, the second captures the graph, the third starts it."""


class LocalNetworks:
    """Implements `pipeline.networks.api.Networks`. Sessions load at their first run, once, whatever the thread."""

    def __init__(self, weights: Mapping[str, Weight], threads: int = 1, device: Device = Device.CPU,
                 sizes: Sequence[int] = CPU_SIZES, *, graphs: bool = True, engines: Path | None = None) -> None:
        """weights: by name, from the manifest. threads: intra-op threads of each session. sizes: closed batch sizes.
        graphs, engines: see `Session`."""
        self._weights = dict(weights)
        self._threads = threads
        self._device = device
        self._sizes = tuple(sizes)
        self._graphs, self._engines = graphs, engines
        self._on_gpu = device is not Device.CPU
        self._sessions: dict[str, Session] = {}
        self._lock = threading.Lock()

    def run(self, name: Net, batch: Array) -> tuple[Array, ...]:
        """See `Networks.run`. Raises `Misconfigured` for a network without a manifest entry or with a bad file."""
        session = self._sessions.get(name) or self._load(name)
        sizes = ALONE if session.closed_shapes and not self._on_gpu else self._sizes
        return run_in_batches(session.run, batch, sizes, pad=self._on_gpu)

    def digests(self) -> dict[str, str]:
        """SHA-256 by name, of every network that this plan holds."""
        return {name: weight.sha256 for name, weight in self._weights.items()}

    def warm(self, names: Iterable[Net] | None = None) -> None:
        """Loads the named networks (default: all) and runs each once, so that no support pays for it."""
        for name in self._weights if names is None else names:
            weight = self._weight(name)
            spec = weight.inputs[0]
            shape = [1 if side == "N" else _WARM_LENGTH if isinstance(side, str) else side for side in spec.shape]
            self.run(Net(name), np.zeros(shape, dtype=spec.dtype))

    def examples(self, shapes: Mapping[Net, Sequence[tuple[int, ...]]]) -> Iterator[tuple[Net, Array]]:
        """Batches to be run first by whoever will run the others: on a GPU, what is new to a thread is slow once.

        Each network in each shape of an item and each closed size, so often that the last run is as any later one.
        """
        for name, items in shapes.items():
            dtype = self._weight(name).inputs[0].dtype
            for item, size, _ in itertools.product(items, self._sizes, range(_WARM_RUNS)):
                yield name, np.zeros((size, *item), dtype=dtype)

    def _weight(self, name: str) -> Weight:
        weight = self._weights.get(name)
        if weight is None:
            raise Misconfigured(f"the manifest has no network {str(name)!r}: it is not part of this installation")
        return weight

    def _load(self, name: str) -> Session:
        weight = self._weight(name)
        with self._lock:
            if name not in self._sessions:
                closed = not any(isinstance(side, str) for side in weight.inputs[0].shape[1:])
                session = Session(weight.path, weight.sha256, self._device, self._threads, closed_shapes=closed,
                                  graphs=self._graphs, engines=self._engines)
                session.check_input(weight.inputs[0])
                self._sessions[name] = session
            return self._sessions[name]
