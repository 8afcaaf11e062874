"""The load: supports that arrive whatever the service does (open loop), and are sent until answered. Imports nothing of ours.

A backend's manners: the same Idempotency-Key until a 202 or a final refusal, waits that grow and vary, Retry-After obeyed (cut
short, so that a test ends). Some supports are sent several times at once; some keys are misused for another body. Where a round
asks for another back, another is sent, sooner or later; some wish for a person instead.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import random
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from PIL import Image

from benchmarks.chaos.history import PARTS, POISON, RETAKE, History, expected_outcome
from benchmarks.chaos.http import Reply, multipart, request

CANARY = "CANARIO"
"""Begins every word and every picture's comment: it must be found nowhere but under a seal."""
LONGEST_WAIT = 1.0
COMMENT_BYTES = 4_000
MOST_POLLED = 4.0
"""Seconds between two questions for a verdict, at most."""
WISHES = 0.2
"""Of those who are asked for another picture, how many wish for a person instead."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much, and of what kind. rate: supports a second.  poisons: kinds, one support each.  tries: of a support, at most."""

    rate: float
    seconds: float
    seed: int = 0
    twice: float = 0.1
    misused: float = 0.05
    poisons: tuple[str, ...] = ()
    tries: int = 60
    rounds: bool = False
    """What is asked for again is sent again, or a person is wished for; and webhooks tell of it."""


def jpeg(text: str, size: int = COMMENT_BYTES) -> bytes:
    """A whole JPEG whose comment holds `text` and random bytes: no two are alike."""
    if not _TEMPLATE:
        out = io.BytesIO()
        Image.new("RGB", (64, 48), (120, 90, 60)).save(out, "JPEG")
        _TEMPLATE.append(out.getvalue())
    comment = text.encode() + b";" + secrets.token_hex(size // 2).encode()
    return _TEMPLATE[0][:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + _TEMPLATE[0][2:]


_TEMPLATE: list[bytes] = []


class Load:
    """Sends to a service on loopback. One event loop; many supports at once."""

    def __init__(self, port: int, secret: str, history: History, plan: Plan) -> None:
        self._port, self._history, self._plan = port, history, plan
        self._authorization = {"Authorization": f"Bearer {secret}"}
        self._random = random.Random(plan.seed)
        self._sends = 0

    async def run(self, more: Callable[[], bool] = lambda: False) -> None:
        """Supports arrive for as long as is planned, and while `more` says so; ends when each has its answer, or no try left."""
        async with asyncio.TaskGroup() as group:
            for kind in self._plan.poisons:
                group.create_task(self._support(kind))
            end = asyncio.get_running_loop().time() + self._plan.seconds
            while asyncio.get_running_loop().time() < end or more():
                group.create_task(self._support(""))
                await asyncio.sleep(self._random.expovariate(self._plan.rate))

    async def one_after_another(self, end: float) -> None:
        """Until then by the loop's clock, each once the one before is answered."""
        while asyncio.get_running_loop().time() < end:
            await self._support("")

    async def read(self, ids: Mapping[str, str]) -> None:
        """Ask for each support once more, by key: what its owner sees goes into the history."""
        limit = asyncio.Semaphore(8)

        async def one(key: str, support_id: str) -> None:
            reply = Reply(0, {}, b"")
            for _ in range(self._plan.tries):
                async with limit:
                    with suppress(OSError, EOFError, TimeoutError):
                        reply = await request(self._port, "GET", f"/v1/supports/{support_id}", self._authorization)
                if reply.status not in (0, 503):
                    break
                await asyncio.sleep(LONGEST_WAIT)
            told = reply.json() if reply.status == 200 else {}
            texts = [code["text"] for code in told.get("codes", [])]
            words = [reason["code"] for reason in told.get("reasons", [])]
            self._history.write("read", key=key, id=support_id, status=reply.status, verdict=told.get("verdict"), texts=texts,
                                reasons=words, state=told.get("status"))

        async with asyncio.TaskGroup() as group:
            for key, support_id in ids.items():
                group.create_task(one(key, support_id))

    async def _support(self, poison: str) -> None:
        key = secrets.token_hex(12)
        mark = f"{CANARY}-{key}" + (f";{POISON.decode()}{poison}" if poison else "")
        words = json.dumps({"gatherer": f"{CANARY} {key}"})
        pictures = {part: jpeg(mark if part == "front" else f"{CANARY}-{key}-{part}") for part in PARTS}
        digests = {part: hashlib.sha256(data).hexdigest() for part, data in pictures.items()}
        self._history.write("plan", key=key, parts=digests, words=words, poison=poison)
        body = {**pictures, "support": words.encode()}
        copies = self._random.choice((2, 5)) if self._random.random() < self._plan.twice else 1
        misused = self._random.random() < self._plan.misused
        kind, data = multipart(body)
        answers = await asyncio.gather(*(self._until_answered("POST", "/v1/supports", key, kind, data) for _ in range(copies)))
        acked = [reply.json()["id"] for reply in answers if reply is not None and reply.status == 202]
        if misused and acked:
            await self._misuse(key, {**body, "back": jpeg("another")})
        if self._plan.rounds and acked and expected_outcome(digests["front"]) == RETAKE:
            await self._go_on(key, acked[0])

    async def _go_on(self, key: str, support_id: str) -> None:
        """What a citizen does who is asked for another back: up to three more, or a person; until no more is asked for."""
        for round_ in range(2, 5):
            if await self._state(support_id) != "retake_wanted":
                return
            await asyncio.sleep(self._random.uniform(0.0, 1.5))  # before or after the event is told
            if self._random.random() < WISHES:
                self._history.write("again", key="", of=key, id=support_id, round=round_, sha256="", acked=False)
                if await self._wished(support_id):
                    self._history.write("again", key="", of=key, id=support_id, round=round_, sha256="", acked=True)
                return
            own = secrets.token_hex(12)
            back = jpeg(f"{CANARY}-{key}-back-{round_}")
            digest = hashlib.sha256(back).hexdigest()
            self._history.write("again", key=own, of=key, id=support_id, round=round_, sha256=digest, acked=False)
            path = f"/v1/supports/{support_id}/captures/back"
            copies = 2 if self._random.random() < self._plan.twice else 1
            await asyncio.gather(*(self._until_answered("PUT", path, own, "image/jpeg", back) for _ in range(copies)))
            if expected_outcome(digest) != RETAKE:
                return

    async def _state(self, support_id: str) -> str:
        """Once the round has its verdict, as far as there are tries; else where it stands."""
        state, wait = "received", 0.5
        for _ in range(2 * self._plan.tries):
            with suppress(OSError, EOFError, TimeoutError, IndexError, ValueError):
                reply = await request(self._port, "GET", f"/v1/supports/{support_id}", self._authorization)
                state = reply.json()["status"] if reply.status == 200 else state
            if state not in ("received", "processing"):
                break
            await asyncio.sleep(wait * self._random.uniform(0.5, 1.0))
            wait = min(1.5 * wait, MOST_POLLED)
        return state

    async def _wished(self, support_id: str) -> bool:
        for _ in range(self._plan.tries):
            with suppress(OSError, EOFError, TimeoutError, IndexError, ValueError):
                reply = await request(self._port, "POST", f"/v1/supports/{support_id}/review", self._authorization)
                if reply.status not in (429, 503):
                    return reply.status == 200
            await asyncio.sleep(self._random.uniform(0.2, LONGEST_WAIT))
        return False

    async def _until_answered(self, method: str, path: str, key: str, kind: str, data: bytes) -> Reply | None:
        """The answer that is not to be tried again; None where there was none."""
        wait = 0.05
        for _ in range(self._plan.tries):
            reply = await self._send(method, path, key, kind, data)
            if reply is not None and reply.status not in (429, 503) and "retry-after" not in reply.headers:
                return reply
            told = float(reply.headers.get("retry-after", 0)) if reply is not None else 0.0
            await asyncio.sleep(min(max(wait, told), LONGEST_WAIT) * self._random.uniform(0.5, 1.0))
            wait = min(2 * wait, LONGEST_WAIT)
        return None

    async def _send(self, method: str, path: str, key: str, kind: str, data: bytes) -> Reply | None:
        self._sends += 1
        n = self._sends
        self._history.write("send", key=key, n=n)
        try:
            reply = await request(self._port, method, path, self._headers(key, kind), data)
        except (OSError, EOFError, TimeoutError, IndexError, ValueError) as error:
            self._history.write("lost", key=key, n=n, error=type(error).__name__)
            return None
        told = reply.json()
        self._history.write("answer", key=key, n=n, status=reply.status, id=told.get("id"), code=told.get("code"),
                            retry="retry-after" in reply.headers)
        return reply

    async def _misuse(self, key: str, other: Mapping[str, bytes]) -> None:
        kind, data = multipart(other)
        try:
            reply = await request(self._port, "POST", "/v1/supports", self._headers(key, kind), data)
        except (OSError, EOFError, TimeoutError):
            return
        if reply.status != 503:
            self._history.write("mismatch", key=key, status=reply.status)

    def _headers(self, key: str, kind: str) -> dict[str, str]:
        return {**self._authorization, "Idempotency-Key": key, "Content-Type": kind}
