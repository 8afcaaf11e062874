"""Batches: what a device runs next of all that waits, and how a batch of any length becomes runs of closed sizes. Pure."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.networks.api import Array
from pipeline.networks.buckets import split


def run_in_batches(
    run: Callable[[Array], tuple[Array, ...]], batch: Array, sizes: Sequence[int], *, pad: bool
) -> tuple[Array, ...]:
    """`batch` is (N, …), N >= 1; each output of `run` is (size, …). Returns the outputs as (N, …), padding cut off.

    Padding repeats the run's last item: it is never looked at, and has the statistics of real input.
    """
    total = batch.shape[0]
    if total < 1:
        raise ValueError("a batch holds at least one item")
    parts = []
    for piece in split(total, sizes, pad=pad):
        items = batch[piece.start : piece.start + piece.count]
        if piece.size > piece.count:
            items = np.concatenate([items, np.repeat(items[-1:], piece.size - piece.count, axis=0)])
        parts.append([output[: piece.count] for output in run(np.ascontiguousarray(items))])
    if len(parts) == 1:
        return tuple(parts[0])
    return tuple(np.concatenate(column) for column in zip(*parts, strict=True))


@dataclass(frozen=True, slots=True)
class Waiting:
    """One caller's request: `items` of one network and shape (`kind`), of no use after `deadline` (seconds of a clock)."""

    kind: Hashable
    items: int
    deadline: float


@dataclass(frozen=True, slots=True)
class Choice:
    """Indices into what waits: what is run together now, and what nobody waits for any more."""

    together: tuple[int, ...]
    late: tuple[int, ...]


def choose(waiting: Sequence[Waiting], now: float, largest: int) -> Choice:
    """What a free device does next: the kind that waited longest, in the order of arrival, until `largest` items are together.

    Greedy: a device never idles to fill a batch, for on a busy one batches fill by themselves. A request larger than
    `largest` is run alone (and split by closed sizes).
    """
    late = tuple(index for index, request in enumerate(waiting) if request.deadline <= now)
    alive = [(index, request) for index, request in enumerate(waiting) if request.deadline > now]
    together: list[int] = []
    items = 0
    for index, request in alive:
        if request.kind != alive[0][1].kind:
            continue
        if together and items + request.items > largest:
            break
        together.append(index)
        items += request.items
    return Choice(tuple(together), late)
