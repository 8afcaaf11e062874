"""Closed batch sizes: a batch of any length becomes runs of a few known sizes, so that memory and tuning settle.

Pure arithmetic: no device, no arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a network: `count` real items in a batch of `size` (the rest is padding)."""

    start: int
    count: int
    size: int


def split(total: int, sizes: Sequence[int], *, pad: bool) -> tuple[Run, ...]:
    """Splits `total` items into runs whose sizes all come from `sizes`, in order, each item in exactly one run.

    pad False: the largest size that still fits, again and again (needs size 1): no work is wasted, as suits a CPU.
    pad True: full runs of the largest size, then one of the smallest size that holds the rest, padded: the fewest
    runs, as suits a GPU. Raises `ValueError` for a negative total or sizes that cannot serve.
    """
    if total < 0 or not sizes or min(sizes) < 1:
        raise ValueError(f"cannot split {total} items into batches of {list(sizes)}")
    if not pad and 1 not in sizes:
        raise ValueError("without padding, 1 must be among the sizes")
    ascending = sorted(set(sizes))
    runs = []
    start = 0
    while start < total:
        left = total - start
        fitting = [size for size in ascending if size <= left]
        size = fitting[-1] if fitting and (not pad or fitting[-1] == ascending[-1]) else next(s for s in ascending if s >= left)
        count = min(size, left)
        runs.append(Run(start, count, size))
        start += count
    return tuple(runs)
