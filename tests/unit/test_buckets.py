"""Splitting a batch into closed sizes, and putting the outputs together again."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.networks.batching import run_in_batches
from pipeline.networks.buckets import Run, split


@pytest.mark.parametrize(
    ("total", "sizes", "pad", "wanted"),
    [
        (0, (1, 2), False, ()),
        (1, (1, 2, 4), False, (Run(0, 1, 1),)),
        (3, (1, 2, 4), False, (Run(0, 2, 2), Run(2, 1, 1))),
        (3, (1, 2, 4), True, (Run(0, 3, 4),)),
        (4, (4, 1, 2), False, (Run(0, 4, 4),)),
        (9, (1, 4), True, (Run(0, 4, 4), Run(4, 4, 4), Run(8, 1, 1))),
        (11, (2, 8), True, (Run(0, 8, 8), Run(8, 3, 8))),
        (11, (1, 2, 4, 8), False, (Run(0, 8, 8), Run(8, 2, 2), Run(10, 1, 1))),
    ],
)
def test_split(total: int, sizes: tuple[int, ...], pad: bool, wanted: tuple[Run, ...]) -> None:
    assert split(total, sizes, pad=pad) == wanted


@pytest.mark.parametrize(("total", "sizes", "pad"), [(-1, (1,), True), (1, (), True), (1, (0, 1), True), (3, (2, 4), False)])
def test_sizes_that_cannot_serve_are_refused(total: int, sizes: tuple[int, ...], pad: bool) -> None:
    with pytest.raises(ValueError, match=r"split|padding"):
        split(total, sizes, pad=pad)


@settings(deadline=None)
@given(total=st.integers(0, 300), sizes=st.sets(st.integers(1, 40), min_size=1), pad=st.booleans())
def test_every_item_is_in_one_run_of_a_closed_size(total: int, sizes: set[int], pad: bool) -> None:
    sizes = sizes | {1}
    runs = split(total, tuple(sizes), pad=pad)
    assert [item for run in runs for item in range(run.start, run.start + run.count)] == list(range(total))
    assert all(run.size in sizes and 0 < run.count <= run.size for run in runs)
    if not pad:
        assert sum(run.size for run in runs) == total


@settings(deadline=None)
@given(total=st.integers(1, 40), pad=st.booleans())
def test_outputs_come_back_in_order_and_without_padding(total: int, pad: bool) -> None:
    seen = []

    def twice_and_sum(batch: np.ndarray) -> tuple[np.ndarray, ...]:
        seen.append(len(batch))
        return 2 * batch, batch.sum(axis=1)

    batch = np.arange(total * 3, dtype=np.float32).reshape(total, 3)
    doubled, sums = run_in_batches(twice_and_sum, batch, (1, 4, 8), pad=pad)
    np.testing.assert_array_equal(doubled, 2 * batch)
    np.testing.assert_array_equal(sums, batch.sum(axis=1))
    assert set(seen) <= {1, 4, 8}


def test_an_empty_batch_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="at least one"):
        run_in_batches(lambda batch: (batch,), np.zeros((0, 3), np.float32), (1,), pad=False)
