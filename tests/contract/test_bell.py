"""Waiting for work: what is committed rings at once, nothing is missed between a look and a wait, and a lost server is no end."""

from __future__ import annotations

import threading
import time

import pytest

from pipeline.records.bell import Bell, Channel, bell_of
from pipeline.records.storage import Storage
from tests.contract.record_makers import client_in, insert_one

LONG = 60.0
"""Seconds that no wait here comes to, unless nobody rang."""


def waits(bell: Bell, seconds: float, stop: threading.Event | None = None) -> float:
    begun = time.monotonic()
    bell.wait(stop or threading.Event(), seconds)
    return time.monotonic() - begun


@pytest.fixture()
def bell(storage: Storage) -> Bell:
    return bell_of(storage.engine, Channel.JOBS)


def test_a_commit_rings(storage: Storage, bell: Bell) -> None:
    client = client_in(storage.engine)
    bell.arm()
    later = threading.Timer(0.2, insert_one, (storage, client))
    later.start()
    assert waits(bell, LONG) < LONG / 2
    later.join()


def test_what_came_between_the_look_and_the_wait_is_not_missed(storage: Storage, bell: Bell) -> None:
    client = client_in(storage.engine)
    bell.arm()
    insert_one(storage, client)
    assert waits(bell, LONG) < LONG / 2


def test_what_was_seen_rings_no_more(storage: Storage, bell: Bell) -> None:
    client = client_in(storage.engine)
    bell.arm()
    for _ in range(3):
        insert_one(storage, client)
    bell.arm()
    late = 0  # PostgreSQL's word may come after the look that saw the row: one look more for each
    while waits(bell, 0.4) < 0.35:
        late += 1
        assert late <= 3
        bell.arm()


def test_events_ring_their_own_bell(storage: Storage) -> None:
    client, bell = client_in(storage.engine), bell_of(storage.engine, Channel.EVENTS)
    bell.arm()
    insert_one(storage, client)
    assert waits(bell, LONG) < LONG / 2


def test_whoever_is_to_stop_does_not_wait(bell: Bell) -> None:
    stop = threading.Event()
    bell.arm()
    threading.Timer(0.1, stop.set).start()
    assert waits(bell, LONG, stop) < LONG / 2


def test_a_listener_whose_connection_broke_listens_anew(storage: Storage, bell: Bell) -> None:
    if storage.engine.dialect.name != "postgresql":
        pytest.skip("SQLite has no connection to a server")
    client = client_in(storage.engine)
    bell.arm()
    with storage.engine.connect() as connection:
        connection.exec_driver_sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%%'")
    assert waits(bell, LONG) < LONG / 2, "it says so at once, so that the look that follows sees what is wrong"
    bell.arm()
    insert_one(storage, client)
    assert waits(bell, LONG) < LONG / 2
