"""How many workers a backlog asks for: up at once, down with patience, never outside its bounds."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.actors.demand import JOBS_A_WORKER, PATIENCE_SECONDS, Demand, Quiet

AFTER = PATIENCE_SECONDS + 1


@pytest.mark.parametrize(("looks", "wanted"), [
    ([(0, 0)], 2),
    ([(2 * JOBS_A_WORKER, 0)], 2),
    ([(2 * JOBS_A_WORKER + 1, 0)], 3),
    ([(1e6, 0)], 10),
    ([(math.nan, 0)], 2),
    ([(80, 0), (0, 5)], 10),
    ([(80, 0), (0, 5), (0, AFTER)], 2),
    ([(80, 0), (0, 5), (80, 10), (0, AFTER)], 10),
    ([(80, 0), (math.nan, AFTER)], 10),
])
def test_wanted(looks: list[tuple[float, float]], wanted: int) -> None:
    demand = Demand(least=2, most=10)
    assert [demand.wanted(backlog, now) for backlog, now in looks][-1] == wanted


@given(least=st.integers(1, 20), most=st.integers(0, 40), backlogs=st.lists(st.integers(0, 10_000), min_size=1))
def test_never_outside_the_bounds(least: int, most: int, backlogs: list[int]) -> None:
    demand = Demand(least, most)
    for now, backlog in enumerate(backlogs):
        assert least <= demand.wanted(backlog, float(now)) <= max(least, most)


@pytest.mark.parametrize(("seconds", "looks", "over"), [
    (900, [(0, 0)], False),
    (900, [(0, 0), (0, 899)], False),
    (900, [(0, 0), (0, 900)], True),
    (900, [(0, 0), (1, 800), (0, 900), (0, 1700)], False),
    (900, [(0, 0), (1, 800), (0, 900), (0, 1800)], True),
    (900, [(0, 0), (math.nan, 800), (0, 1000)], False),
    (900, [(math.nan, 0), (math.nan, 5000)], False),
    (0, [(0, 0), (0, 1e9)], False),
])
def test_quiet(seconds: float, looks: list[tuple[float, float]], over: bool) -> None:
    quiet = Quiet(seconds)
    assert [quiet.is_over(backlog, now) for backlog, now in looks][-1] is over
