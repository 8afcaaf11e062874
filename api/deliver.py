"""`python -m api.deliver`: tells events to those who asked for them, in a process of its own, until SIGINT or SIGTERM.

Several may run: deliveries are leased. Each receiver is served by a task of its own with connections of its own, so that one
that is slow or dead delays nobody else.
"""

from __future__ import annotations

import random
import signal
import ssl
import sys
import threading
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import anyio
from anyio import to_thread
from anyio.abc import TaskGroup

from api import mail
from api.identity.code_mail import send_code
from api.webhooks.sender import CONNECTIONS, sender
from pipeline import faults, tracing
from pipeline.cores import forbid_core_dumps
from pipeline.domain.activation import ActivationState
from pipeline.errors import ApoyoError, NotFound, Unavailable
from pipeline.records.activations import find_traceparent as traceparent_of_activation
from pipeline.records.activations import note_mailed
from pipeline.records.bell import Channel, bell_of
from pipeline.records.deliveries import (
    AT_ONCE,
    CODES,
    MAIL,
    Also,
    Attempt,
    claim_deliveries,
    due_targets,
    hand_on,
    settle_delivered,
    settle_failed,
)
from pipeline.records.outbox import EventKind
from pipeline.records.storage import Storage, open_storage
from pipeline.records.supports import FIRST_ROUND, find_traceparent
from pipeline.records.webhooks import signing_secrets
from pipeline.settings import DeliverySettings, Settings
from pipeline.telemetry import ATTEMPTS_TO_DELIVER, READY_LINE, configure_logging, logger

JITTER = 0.2
"""Waits vary by a fifth either way, so that what failed together is not tried together."""
GAP_SECONDS = 0.1
"""Between two looks, however much is committed: a look costs a millisecond."""
RETRY_SECONDS = 1.0
"""After the database did not answer, or a target's secrets could not be opened."""
Tell = Callable[[Attempt], Awaitable[str | None]]


class Deliverer:
    """Hands events on and has each target served. `stop` is the loop's own event: set it and `run` ends when attempts have."""

    def __init__(self, storage: Storage, settings: DeliverySettings) -> None:
        self._storage, self._settings = storage, settings
        self._longest = max(2 * settings.attempt_seconds, (1 + JITTER) * max(settings.backoff_seconds, default=0.0))
        """Seconds that a lease, or a wait for the next attempt, lasts at most."""
        self._tls = ssl.create_default_context(cafile=settings.ca_file)
        self._served: set[str] = set()
        self._log = logger("deliverer")
        self._bell = bell_of(storage.engine, Channel.EVENTS)
        self.stop = anyio.Event()

    async def run(self) -> None:
        async with anyio.create_task_group() as group:
            while not self.stop.is_set():
                await to_thread.run_sync(self._bell.arm)
                try:
                    if await self._tick(group):
                        continue
                except Unavailable as error:
                    self._log.warning("cannot look", code=error.code)
                    await self._pause(RETRY_SECONDS)
                await self._until_told()

    async def _until_told(self) -> None:
        """Until something was committed or it is time to look; not at once again where much is committed."""
        await self._pause(min(GAP_SECONDS, self._settings.poll_seconds))
        over = threading.Event()

        async def listen() -> None:
            await to_thread.run_sync(self._bell.wait, over, self._settings.poll_seconds)
            group.cancel_scope.cancel()

        async with anyio.create_task_group() as group:
            group.start_soon(listen)
            await self.stop.wait()
            over.set()

    async def _pause(self, seconds: float) -> None:
        with anyio.move_on_after(seconds):
            await self.stop.wait()

    async def _tick(self, group: TaskGroup) -> bool:
        """Hand on some events, and have every target served that something is due to. Whether there are more events."""
        handed_on = await to_thread.run_sync(hand_on, self._storage.engine, self._settings.retake_wait_seconds)
        for target, url in await to_thread.run_sync(due_targets, self._storage.engine, self._longest):
            if target not in self._served:
                self._served.add(target)
                group.start_soon(self._serve, target, url)
        return bool(handed_on == AT_ONCE)

    async def _serve(self, target: str, url: str) -> None:
        """Everything that is due to one target. Whatever goes wrong with it ends here."""
        try:
            if target == MAIL:
                await self._serve_all(target, lambda attempt: to_thread.run_sync(mail.send, attempt, self._settings))
                return
            if target == CODES:
                await self._serve_all(target, partial(to_thread.run_sync, partial(
                    send_code, storage=self._storage, settings=self._settings)))
                return
            async with sender(url, self._settings, self._tls) as to_receiver:
                secrets = await to_thread.run_sync(signing_secrets, self._storage, target)
                await self._serve_all(target, lambda attempt: to_receiver.tell(attempt, secrets))
        except NotFound:  # removed meanwhile
            return
        except ApoyoError as error:
            self._log.warning("target left", target=target, code=error.code)
            await anyio.sleep(RETRY_SECONDS)
        finally:
            self._served.discard(target)

    async def _serve_all(self, target: str, tell: Tell) -> None:
        lease = 2 * self._settings.attempt_seconds
        while not self.stop.is_set():
            attempts = await self._in_thread(claim_deliveries, target, CONNECTIONS, lease, self._longest)
            if not attempts:
                return
            async with anyio.create_task_group() as group:
                for attempt in attempts:
                    group.start_soon(self._attempt, attempt, tell)

    async def _attempt(self, attempt: Attempt, tell: Tell) -> None:
        log = self._log.bind(target=attempt.target, event_id=attempt.event_id, attempt=attempt.number)
        begun = tracing.now()
        try:
            error = await tell(attempt)
        except Exception as unexpected:  # whatever one receiver does must not end the others' deliveries
            log.error("attempt failed", exc_info=unexpected)
            error = f"unexpected.{type(unexpected).__name__}"
        try:
            faults.point("deliver.told")
            result = await self._settle(attempt, error)
        except Unavailable as unavailable:  # the lease runs out, and the event is told again
            log.warning("cannot settle", code=unavailable.code)
            return
        ATTEMPTS_TO_DELIVER.labels(result).inc()
        await self._trace(attempt, begun, result)
        (log.info if error is None else log.warning)(result, code=error)

    async def _trace(self, attempt: Attempt, begun: int, result: str) -> None:
        """A span beside the verdict that the event is of, or beside the intake; of a code, beside the look at the front."""
        what = next((what for what in (tracing.SUPPORT, tracing.ACTIVATION) if what in attempt.body), None)
        if what is None or not tracing.running():
            return
        subject, round_, ended = attempt.body[what], attempt.body.get("round", FIRST_ROUND), tracing.now()
        try:
            of = find_traceparent if what == tracing.SUPPORT else traceparent_of_activation
            traceparent = await self._in_thread(of, subject)
        except Unavailable:  # a span is no reason to try again
            return
        trace = tracing.trace_of(subject, round_, traceparent, what)
        if trace is not None:
            above = tracing.INTAKE if attempt.kind is EventKind.RECEIVED else tracing.VERIFY
            name = f"{above}/{attempt.target}/{attempt.event_id}/{attempt.number}/deliver"
            said: dict[str, tracing.Value] = {"apoyo.event": attempt.event_id, "apoyo.target": attempt.target,
                                              "apoyo.attempt": attempt.number, "apoyo.result": result}
            tracing.tell([trace.span(name, above, begun, ended, tracing.PRODUCER, said)])

    async def _settle(self, attempt: Attempt, error: str | None) -> str:
        """Write what came of it: a word for logs and metrics."""
        if error is None:
            noted = _noted(attempt, ActivationState.CODE_SENT)
            held, result = await self._in_thread(settle_delivered, attempt, noted), "delivered"
        else:
            wait = None if error == mail.REFUSED else self._wait_after(attempt.number)
            noted = _noted(attempt, ActivationState.BOUNCED)
            held, result = await self._in_thread(settle_failed, attempt, error, wait, noted), "dead" if wait is None else "failed"
        return result if held else "late"

    def _wait_after(self, number: int) -> float | None:
        """Seconds until the next attempt after the `number`th, or None after the last."""
        if number > len(self._settings.backoff_seconds):
            return None
        return self._settings.backoff_seconds[number - 1] * random.uniform(1 - JITTER, 1 + JITTER)

    async def _in_thread(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return await to_thread.run_sync(partial(function, self._storage.engine, *arguments))


def _noted(attempt: Attempt, state: ActivationState) -> Also:
    """What the end of this delivery says of an activation; nothing, unless it is a code's."""
    if attempt.target != CODES:
        return lambda _connection: None
    return partial(note_mailed, activation_id=attempt.body["activation"], state=state)


async def run_deliverer(storage: Storage, settings: DeliverySettings) -> None:
    """Until SIGINT or SIGTERM; attempts under way are finished and settled."""
    deliverer = Deliverer(storage, settings)
    async with anyio.create_task_group() as group:
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            group.start_soon(deliverer.run)
            sys.stdout.write(f"{READY_LINE}\n")
            sys.stdout.flush()
            async for _ in signals:
                deliverer.stop.set()
                break


def main() -> int:
    """Deliver. Exit code 2 where the installation is wrong; the reason goes to the log."""
    configure_logging()
    forbid_core_dumps()
    try:
        settings = Settings.load()
        storage = open_storage(settings.storage)
    except ApoyoError as error:
        logger("deliverer").error("cannot_start", code=error.code, detail=error.detail)
        return 2
    faults.arm(settings.faults.points)
    tracing.start(settings.tracing, "deliverer")
    anyio.run(run_deliverer, storage, settings.delivery)
    return 0


if __name__ == "__main__":
    sys.exit(main())
