"""What a clock sees of another's id and of an id of nothing: as many requests for each, in drawn order, over loopback.

Tests count what is done (`tests/contract/test_absent.py`); here it is measured, beside a positive control: one's own, which is
opened and told. How well a clock tells two apart is the chance that one of the first takes longer than one of the second (the
area under the ROC curve): 0.5 is a coin. Nothing here fails by a time.
"""

from __future__ import annotations

import random
import time
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence

import httpx
import uuid_utils.compat

from benchmarks.security.door import GOOD, Row
from benchmarks.security.served import Served
from pipeline.records.clients import add_client, new_secret
from pipeline.records.storage import open_storage
from pipeline.settings import StorageSettings

SUPPORTS = 20
KINDS = ("another's", "of nothing", "one's own")


def listen(server: Served, settings: StorageSettings, times: int, seed: int = 1) -> Iterator[Row]:
    """`times` requests of each kind to the route that reads a support. server: over `settings`."""
    mine, others = new_secret(), server.client
    add_client(open_storage(settings).engine, "who listens", mine)
    with httpx.Client(base_url=others.base_url, headers={"Authorization": f"Bearer {mine}"}, timeout=others.timeout) as client:
        ids = {"another's": _sent(others), "one's own": _sent(client)}
        chance = random.Random(seed)
        took: dict[str, list[float]] = {kind: [] for kind in KINDS}
        answers: dict[str, set[int]] = {kind: set() for kind in KINDS}
        order = list(KINDS) * times
        chance.shuffle(order)  # in fixed turns each would bear what the one before it left behind
        for kind in order:
            one = str(uuid_utils.compat.uuid7()) if kind == "of nothing" else chance.choice(ids[kind])
            begun = time.perf_counter()
            answer = client.get(f"/v1/supports/{one}")
            took[kind].append(time.perf_counter() - begun)
            answers[kind].add(answer.status_code)
    for kind in KINDS:
        expected = {200} if kind == "one's own" else {404}
        told = f"{_quantiles(took[kind])}; {longer(took[kind], took['of nothing']):.3f}"
        yield Row(f"an id {kind}", told, answers[kind] == expected)


def _sent(client: httpx.Client) -> list[str]:
    """Ids of supports that this client sent."""
    files = {name: (name, data) for name, data in GOOD.items()}
    answers = [client.post("/v1/supports", files=files, headers={"Idempotency-Key": f"absent-{number}"})
               for number in range(SUPPORTS)]
    return [str(answer.raise_for_status().json()["id"]) for answer in answers]


def longer(first: Sequence[float], second: Sequence[float]) -> float:
    """The chance that one of `first` is longer than one of `second`, equal ones half (Mann and Whitney's U, over all pairs)."""
    ranked = sorted(second)
    wins = sum(bisect_left(ranked, one) + bisect_right(ranked, one) for one in first)
    return wins / 2 / len(first) / len(second)


def _quantiles(took: Sequence[float]) -> str:
    ranked = sorted(took)
    return " / ".join(f"{1000 * ranked[int(share * (len(ranked) - 1))]:.2f}" for share in (0.05, 0.5, 0.95)) + " ms"
