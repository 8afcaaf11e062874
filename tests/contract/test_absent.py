"""What is another's costs what nothing costs: the same statements, the same looks into the store, the same calls for keys.

So no clock tells them apart by what is done; `make security` measures what a clock says all the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import anyio
import pytest
from sqlalchemy import event

from pipeline.blobs.sealing import Keyring
from pipeline.domain.verdict import Outcome
from pipeline.records.erasures import Asked, erase
from pipeline.records.receipts import Cause
from pipeline.records.storage import Storage, open_keys, open_storage
from pipeline.settings import IdentitySettings, StorageSettings
from tests.contract.activation_scene import scene
from tests.contract.intake_makers import Service, service
from tests.contract.test_api_roles import MATRIX, OTHER, OWNED, Owned, ask, own
from tests.contract.test_api_rounds import judge_round
from tests.contract.test_my import activate, send
from tests.identity_providers import provider
from tests.phones import Phone

NOTHING = "0192f000-0000-7000-8000-000000000000"


class Counted:
    """The real thing, whose every call is written down by its name."""

    def __init__(self, real: Any, done: list[str]) -> None:
        self._real, self._done = real, done

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._real, name)
        if not callable(found):
            return found

        def call(*arguments: Any, **named: Any) -> Any:
            self._done.append(name)
            return found(*arguments, **named)

        return call


@dataclass
class Bill:
    """Statements, calls of the store and calls for keys since it was last asked."""

    done: list[str]

    def take(self) -> list[str]:
        taken = list(self.done)
        self.done.clear()
        return taken


@contextmanager
def counted(settings: StorageSettings) -> Iterator[tuple[Storage, Bill]]:
    storage, done = open_storage(settings), list[str]()

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        done.append(statement)

    event.listen(storage.engine, "before_cursor_execute", note)
    keys: Any = Counted(open_keys(settings), done)
    blobs: Any = Counted(storage.blobs, done)
    yield replace(storage, blobs=blobs, keyring=Keyring(keys)), Bill(done)
    event.remove(storage.engine, "before_cursor_execute", note)


@pytest.fixture(scope="module")
def under_test(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, Owned, Bill]]:
    settings = StorageSettings(data_dir=tmp_path_factory.mktemp("absent"))
    with counted(settings) as (storage, bill), provider() as known, service(
            settings, storage, identity=IdentitySettings(stand_in_url=known.url)) as running:
        yield running, anyio.run(own, running, "retake_wanted", known.token()), bill


@pytest.mark.parametrize("route", OWNED, ids=" ".join)
def test_a_backend_s_id_costs_another_what_nothing_costs(route: tuple[str, str], under_test: tuple[Service, Owned, Bill]) -> None:
    running, owned, bill = under_test
    nothing = {**owned, **dict.fromkeys(("support_id", "webhook_id", "activation_id", "receipt_id"), NOTHING)}

    async def cost(wanted: Owned) -> list[str]:
        bill.take()
        assert (await ask(running, route, wanted, OTHER)).status_code == 404
        return bill.take()

    async def run() -> None:
        foreign, missing = await cost(owned), await cost(nothing)
        assert foreign == missing and len(missing) >= 2, "who asks, and what is asked for"

    anyio.run(run)


def test_one_s_own_costs_more(under_test: tuple[Service, Owned, Bill]) -> None:
    """Else nothing would be counted."""
    running, owned, bill = under_test
    costs = []
    for wanted in (owned, {**owned, "support_id": NOTHING}):
        bill.take()
        anyio.run(ask, running, ("GET", "/v1/supports/{support_id}"), wanted, {})
        costs.append(bill.take())
    assert len(costs[0]) > len(costs[1]) and "unwrap" in costs[0]


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_another_phone_s_costs_what_nothing_costs(tmp_path: Path, method: str) -> None:
    """Judged, erased, of no phone at all, of another backend: an id tells nothing of what it is."""
    async def run() -> None:
        settings = StorageSettings(data_dir=tmp_path)
        with counted(settings) as (storage, bill), scene(settings, storage=storage) as here:
            mine = await activate(here)
            gone, nobodys, judged = [await send(here.service, key, phone) for key, phone in (
                ("gone", Phone()), ("nobody", None), ("judged", Phone()))]
            for _ in range(4):
                judge_round(storage, Outcome.RETAKE, "back")
            erase(storage, Asked(gone, Cause.ASKED, "operator"))
            costs = []
            for one in (judged, gone, nobodys, NOTHING):
                bill.take()
                assert (await mine.ask(place=f"/v1/my/supports/{one}", method=method)).status_code == 404
                costs.append(bill.take())
            assert costs == [costs[-1]] * 4 and len(costs[-1]) >= 3
            bill.take()
            assert (await mine.ask(method=method)).status_code == 200
            assert len(bill.take()) > len(costs[-1])

    anyio.run(run)


def test_every_route_by_an_id_is_among_these() -> None:
    """What is not a backend's is all roles' (processes), a person's or the operator's (who see all), or a phone's."""
    by_id = {route for route in MATRIX if "_id}" in route[1]} - set(OWNED)
    assert {(method, path) for method, path in by_id if "process" not in path} == {
        ("POST", "/v1/supports/{support_id}/decisions"), ("DELETE", "/v1/supports/{support_id}"),
        ("GET", "/v1/my/supports/{support_id}"), ("DELETE", "/v1/my/supports/{support_id}")}
