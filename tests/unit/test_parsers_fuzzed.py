"""Every parser of what strangers send, under changes of what is right and under noise: taken whole or refused by its own error."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.security.targets import TARGETS
from scripts.fuzz import by_chance, changed


@pytest.mark.parametrize("name", TARGETS)
def test_a_seed_is_taken(name: str) -> None:
    """Else all that is thrown would be refused at its first byte."""
    assert any(TARGETS[name].take(seed) for seed in TARGETS[name].seeds)


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_what_is_changed_is_taken_or_refused(name: str, data: st.DataObject) -> None:
    target = TARGETS[name]
    seed = data.draw(st.sampled_from(target.seeds))
    at = data.draw(st.integers(0, len(seed)))
    drop = data.draw(st.integers(0, 12))
    target.take(seed[:at] + data.draw(st.binary(max_size=40)) + seed[at + drop:])


@pytest.mark.parametrize("name", TARGETS)
def test_many_changes_at_once_and_the_same_each_time(name: str) -> None:
    assert changed(b"abc" * 9, random.Random(5)) == changed(b"abc" * 9, random.Random(5))
    runs, _ = by_chance(TARGETS[name], 60, seed=3, most=150)
    assert runs == 150


@pytest.mark.parametrize("name", ["support-json", "token", "process-file"])
@pytest.mark.parametrize(("start", "deep"), [("", "["), ("", "{\"a\":"), ("a = ", "["), ("a = ", "{a=")])
def test_depth_is_refused(name: str, start: str, deep: str) -> None:
    assert not TARGETS[name].take(start.encode() + deep.encode() * 50_000)
