"""Requests of many callers on one device: what runs next, and that every caller gets the answer to its own."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import Unavailable
from pipeline.networks import batcher as batcher_module
from pipeline.networks.api import Array, Net
from pipeline.networks.batcher import Batcher
from pipeline.networks.batching import Choice, Waiting, choose

A, B = "a", "b"
LATER = 10.0


@pytest.mark.parametrize(
    ("waiting", "largest", "wanted"),
    [
        ([], 4, Choice((), ())),
        ([Waiting(A, 1, LATER)], 4, Choice((0,), ())),
        ([Waiting(A, 1, LATER), Waiting(B, 1, LATER), Waiting(A, 2, LATER)], 4, Choice((0, 2), ())),
        ([Waiting(A, 3, LATER), Waiting(A, 2, LATER), Waiting(A, 1, LATER)], 4, Choice((0,), ())),  # none overtakes its own kind
        ([Waiting(A, 9, LATER), Waiting(A, 1, LATER)], 4, Choice((0,), ())),
        ([Waiting(A, 1, 1.0), Waiting(B, 1, LATER), Waiting(A, 1, LATER)], 4, Choice((1,), (0,))),
        ([Waiting(A, 1, 1.0), Waiting(B, 1, 0.5)], 4, Choice((), (0, 1))),
    ],
)
def test_what_a_free_device_does_next(waiting: list[Waiting], largest: int, wanted: Choice) -> None:
    assert choose(waiting, now=1.0, largest=largest) == wanted


REQUESTS = st.lists(st.builds(Waiting, st.sampled_from([A, B]), st.integers(1, 6), st.floats(0, 2)), max_size=30)


@given(waiting=REQUESTS, largest=st.integers(1, 8))
def test_all_is_run_in_turn_once_or_found_late(waiting: list[Waiting], largest: int) -> None:
    left, order = list(enumerate(waiting)), []
    while left:
        choice = choose([request for _, request in left], now=1.0, largest=largest)
        taken = [left[index] for index in choice.together]
        assert choice.together or choice.late, "a free device with work takes some"
        assert len({request.kind for _, request in taken}) <= 1
        assert sum(request.items for _, request in taken) <= largest or len(taken) == 1
        assert all(left[index][1].deadline <= 1.0 for index in choice.late)
        order += [index for index, _ in taken]
        left = [one for index, one in enumerate(left) if index not in {*choice.together, *choice.late}]
    assert sorted(order) == [index for index, request in enumerate(waiting) if request.deadline > 1.0]
    for kind in (A, B):
        of_kind = [index for index in order if waiting[index].kind == kind]
        assert of_kind == sorted(of_kind)


class Device:
    """Doubles numbers, notes its batches, waits while it is held, and cannot stand a 13."""

    def __init__(self) -> None:
        self.batches: list[list[float]] = []
        self.busy, self.held = threading.Event(), threading.Event()
        self.held.set()

    def __call__(self, _name: Net, batch: Array) -> tuple[Array, ...]:
        self.batches.append(batch[:, 0].tolist())
        self.busy.set()
        assert self.held.wait(10)
        if 13 in batch:
            raise ValueError("thirteen")
        return 2 * batch, batch.sum(axis=1)


@pytest.fixture
def device() -> Device:
    return Device()


def numbers(*values: float) -> Array:
    return np.array(values, np.float32)[:, None]


def doubled(answer: Future[tuple[Array, ...]]) -> Any:
    return answer.result(10)[0][:, 0].tolist()


def hold(device: Device, batcher: Batcher) -> Future[tuple[Array, ...]]:
    """The device is busy with a first request, so that what comes now waits together."""
    device.held.clear()
    first = batcher.submit(Net.LOCATOR, numbers(1), 10)
    assert device.busy.wait(10)
    return first


def test_what_waits_together_runs_together_and_each_gets_its_own(device: Device) -> None:
    ran: list[tuple[Net, int]] = []
    batcher = Batcher(device, largest=4, ran=lambda name, items: ran.append((name, items)))
    first = hold(device, batcher)
    answers = [batcher.submit(Net.LOCATOR, numbers(2), 10), batcher.submit(Net.CARD_MODEL, numbers(7), 10),
               batcher.submit(Net.LOCATOR, numbers(3, 4), 10), batcher.submit(Net.LOCATOR, numbers(5, 6), 10)]
    device.held.set()
    assert [doubled(answer) for answer in (first, *answers)] == [[2], [4], [14], [6, 8], [10, 12]]
    assert device.batches == [[1], [2, 3, 4], [7], [5, 6]]
    batcher.close()
    assert ran == [(Net.LOCATOR, 1), (Net.LOCATOR, 3), (Net.CARD_MODEL, 1), (Net.LOCATOR, 2)]


def test_a_request_that_fails_harms_no_other_of_its_batch(device: Device) -> None:
    batcher = Batcher(device, largest=8)
    hold(device, batcher)
    good, bad, other = (batcher.submit(Net.LOCATOR, numbers(value), 10) for value in (2, 13, 3))
    device.held.set()
    assert (doubled(good), doubled(other)) == ([4], [6])
    with pytest.raises(ValueError, match="thirteen"):
        bad.result(10)
    assert doubled(batcher.submit(Net.LOCATOR, numbers(8), 10)) == [16]
    batcher.close()


def test_what_the_device_had_no_time_for_is_refused_and_not_run(device: Device) -> None:
    now = [0.0]
    batcher = Batcher(device, largest=8, clock=lambda: now[0])
    hold(device, batcher)
    late, in_time = batcher.submit(Net.LOCATOR, numbers(2), 1.0), batcher.submit(Net.LOCATOR, numbers(3), 5.0)
    now[0] = 2.0
    device.held.set()
    with pytest.raises(Unavailable) as refused:
        late.result(10)
    assert refused.value.code == "networks_late"
    assert doubled(in_time) == [6]
    assert device.batches == [[1], [3]]
    batcher.close()


def test_a_caller_that_has_gone_is_left_out(device: Device) -> None:
    batcher = Batcher(device, largest=8)
    hold(device, batcher)
    gone, there = batcher.submit(Net.LOCATOR, numbers(2), 10), batcher.submit(Net.LOCATOR, numbers(3), 10)
    assert gone.cancel()
    device.held.set()
    assert doubled(there) == [6]
    assert device.batches == [[1], [3]]
    batcher.close()


def test_closing_finishes_what_runs_and_refuses_what_waits_and_comes(device: Device) -> None:
    batcher = Batcher(device, largest=8)
    running = hold(device, batcher)
    waiting = batcher.submit(Net.LOCATOR, numbers(2), 10)
    closing = threading.Thread(target=batcher.close)
    closing.start()
    while not batcher._closed:  # the thread that closes waits for the device
        threading.Event().wait(0.001)
    device.held.set()
    closing.join(10)
    assert doubled(running) == [2]
    with pytest.raises(Unavailable):
        waiting.result(10)
    with pytest.raises(Unavailable):
        batcher.submit(Net.LOCATOR, numbers(3), 10)


def test_more_than_can_wait_is_refused(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batcher_module, "MOST_WAITING", 2)
    batcher = Batcher(device, largest=8)
    hold(device, batcher)
    kept = [batcher.submit(Net.LOCATOR, numbers(value), 10) for value in (2, 3)]
    with pytest.raises(Unavailable) as refused:
        batcher.submit(Net.LOCATOR, numbers(4), 10)
    assert refused.value.code == "networks_busy"
    device.held.set()
    assert [doubled(answer) for answer in kept] == [[4], [6]]
    batcher.close()


def test_fifty_callers_each_get_their_own_answers() -> None:
    device = Device()
    batcher = Batcher(device, largest=16)
    wrong: list[int] = []

    def call(caller: int) -> None:
        for turn in range(20):
            value = caller * 100 + turn + 0.5
            if doubled(batcher.submit(Net.LOCATOR, numbers(value, value + 0.25), 30)) != [2 * value, 2 * value + 0.5]:
                wrong.append(caller)

    callers = [threading.Thread(target=call, args=(caller,)) for caller in range(50)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(60)
    assert wrong == []
    assert max(map(len, device.batches)) <= 16
    batcher.close()
