"""The networks in this process: each worker holds its own sessions."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from models.registry import Weight
from pipeline.errors import Misconfigured
from pipeline.networks.api import Array, Net
from pipeline.networks.batching import run_in_batches
from pipeline.networks.session import CPU, Session

BATCH_SIZES = (1, 2, 4, 8)
"""A CPU gains nothing from larger batches; splitting bounds the memory that activations take."""
ALONE = (1,)
"""For pictures on a CPU: two of them no longer fit its cache (the recogniser: 12.9 ms an item in threes, 12.0 alone)."""

_WARM_LENGTH = 64
"""For an open dimension in a warm-up run: a multiple of every stride."""


class LocalNetworks:
    """Implements `pipeline.networks.api.Networks`. Sessions load at their first run, once, whatever the thread."""

    def __init__(self, weights: Mapping[str, Weight], threads: int = 1, providers: Sequence[str] = (CPU,)) -> None:
        """weights: by name, from the manifest. threads: intra-op threads of each session."""
        self._weights = dict(weights)
        self._threads = threads
        self._providers = tuple(providers)
        self._pad = self._providers[0] != CPU
        self._sessions: dict[str, Session] = {}
        self._lock = threading.Lock()

    def run(self, name: Net, batch: Array) -> tuple[Array, ...]:
        """See `Networks.run`. Raises `Misconfigured` for a network without a manifest entry or with a bad file."""
        session = self._sessions.get(name) or self._load(name)
        sizes = ALONE if session.closed_shapes and not self._pad else BATCH_SIZES
        return run_in_batches(session.run, batch, sizes, pad=self._pad)

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
                self._sessions[name] = Session(
                    weight.path, weight.sha256, self._providers, self._threads, closed_shapes=closed
                )
            return self._sessions[name]
