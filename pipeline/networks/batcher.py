"""Many callers, one device: requests are batched across them, and every one gets an answer. Knows neither Ray nor a GPU."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

import numpy as np

from pipeline.errors import Unavailable
from pipeline.networks.api import Array, Net
from pipeline.networks.batching import Waiting, choose

Outputs = tuple[Array, ...]
Clock = Callable[[], float]

MOST_WAITING = 1024
"""Requests that wait at one time: four for each of 256 workers. More says that callers do not wait for their answers."""


@dataclass(frozen=True, eq=False, slots=True)
class _Request:
    name: Net
    batch: Array
    answer: Future[Outputs]
    waiting: Waiting


class Batcher:
    """Runs `run(name, batch)` on one thread, the device's, for as many callers as there are."""

    def __init__(self, run: Callable[[Net, Array], Outputs], largest: int, clock: Clock = time.monotonic,
                 ran: Callable[[Net, int], None] = lambda _name, _items: None) -> None:
        """largest: items that are run together. ran: told of each batch, for the metrics."""
        self._run, self._largest, self._clock, self._ran = run, largest, clock, ran
        self._requests: list[_Request] = []
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="device", daemon=True)
        self._thread.start()

    def submit(self, name: Net, batch: Array, seconds: float) -> Future[Outputs]:
        """`batch`: (N, …), N >= 1. The answer is `run`'s, or its error, or `Unavailable` where none came in `seconds`.

        Raises `Unavailable` where too much waits already, and after `close`.
        """
        kind = name, batch.shape[1:], batch.dtype.str
        request = _Request(name, batch, Future(), Waiting(kind, len(batch), self._clock() + seconds))
        with self._changed:
            if self._closed or len(self._requests) >= MOST_WAITING:
                raise Unavailable("the server of networks takes no more now", code="networks_busy")
            self._requests.append(request)
            self._changed.notify()
        return request.answer

    def close(self) -> None:
        """No more is taken; what waits is refused, what runs is finished."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _work(self) -> None:
        while (taken := self._take()) is not None:
            together, late = taken
            _refuse(late, "the device had no time before the deadline")
            self._answer(together)

    def _take(self) -> tuple[list[_Request], list[_Request]] | None:
        """What to run together now, and what came too late; None once closed, when all that waited is refused."""
        with self._changed:
            self._changed.wait_for(lambda: self._requests or self._closed)
            waiting = self._requests
            if self._closed:
                self._requests = []
                _refuse(_awaited(waiting), "the server of networks is going")
                return None
            choice = choose([request.waiting for request in waiting], self._clock(), self._largest)
            done = {*choice.together, *choice.late}
            self._requests = [request for index, request in enumerate(waiting) if index not in done]
        return _awaited([waiting[index] for index in choice.together]), _awaited([waiting[index] for index in choice.late])

    def _answer(self, requests: list[_Request]) -> None:
        """One run for all; where it fails, one for each, so that an item that cannot be run harms no other."""
        if not requests:
            return
        try:
            batch = requests[0].batch if len(requests) == 1 else np.concatenate([request.batch for request in requests])
            outputs = self._run(requests[0].name, batch)
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller gets it, and the next is served
            if len(requests) == 1:
                requests[0].answer.set_exception(error)
            else:
                for request in requests:
                    self._answer([request])
            return
        self._ran(requests[0].name, len(batch))
        start = 0
        for request in requests:
            end = start + len(request.batch)
            # a copy of its own, so that one caller's slice does not keep the others' answers in memory
            request.answer.set_result(tuple(np.array(output[start:end]) for output in outputs) if len(requests) > 1 else outputs)
            start = end


def _awaited(requests: list[_Request]) -> list[_Request]:
    """Without those whose caller has gone; the others can no longer be called off."""
    return [request for request in requests if request.answer.set_running_or_notify_cancel()]


def _refuse(requests: list[_Request], why: str) -> None:
    for request in requests:
        request.answer.set_exception(Unavailable(why, code="networks_late"))
