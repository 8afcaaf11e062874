"""Runs a batch of any length through a function that takes closed sizes, and puts the outputs together again."""

from __future__ import annotations

from collections.abc import Callable, Sequence

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
