"""What each database engine must do: keep what it committed, answer again by itself, and come up to date with its rows."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import alembic.command
import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, MetaData, insert, text

from benchmarks.chaos.servers import PostgreSQL
from pipeline.errors import Misconfigured, Unavailable
from pipeline.records.engine import _configuration, database_now, open_engine, pending_changes, reading, upgrade, writing
from pipeline.records.leases import JobKind, claim
from pipeline.records.storage import open_storage
from pipeline.records.supports import get_support
from pipeline.settings import StorageSettings
from tests.contract.record_makers import client_in, insert_one


@pytest.fixture
def engine(bare_pair: StorageSettings) -> Iterator[Engine]:
    """Of an empty database: no table is made yet."""
    password = bare_pair.database_password_file
    opened = open_engine(bare_pair.database_url, password.read_text() if password else None)
    yield opened
    opened.dispose()


@pytest.fixture
def server(postgresql: PostgreSQL) -> Iterator[tuple[PostgreSQL, Engine]]:
    with postgresql.database() as url:
        opened = open_engine(url, postgresql.password_file.read_text())
        yield postgresql, opened
        opened.dispose()


def test_sqlite_is_opened_durable(tmp_path: Path) -> None:
    names = ("journal_mode", "synchronous", "foreign_keys")
    with reading(open_engine(f"sqlite:///{tmp_path}/db")) as connection:
        assert [connection.execute(text(f"PRAGMA {name}")).scalar_one() for name in names] == ["wal", 2, 1]


def test_a_postgresql_that_may_forget_a_commit_is_refused(server: tuple[PostgreSQL, Engine]) -> None:
    postgresql, engine = server
    with postgresql.connect() as admin:
        admin.execute(f"ALTER DATABASE {engine.url.database} SET synchronous_commit = off")
    with pytest.raises(Misconfigured) as caught:
        database_now(engine)
    assert caught.value.code == "postgresql_not_durable"


def test_a_pool_whose_connections_were_ended_answers_at_once(server: tuple[PostgreSQL, Engine]) -> None:
    postgresql, engine = server
    before = database_now(engine)
    with postgresql.connect() as admin:
        ended = admin.execute("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = %s",
                              (engine.url.database,)).fetchone()
    assert ended is not None and ended[0] >= 1
    assert database_now(engine) >= before


def test_a_lock_that_is_held_and_a_query_that_hangs_end_as_unavailable(server: tuple[PostgreSQL, Engine]) -> None:
    _, engine = server
    upgrade(engine)
    with writing(engine) as holder:
        holder.execute(text("LOCK TABLE audit_head"))
        with pytest.raises(Unavailable) as caught, writing(engine) as other:
            other.execute(text("SET LOCAL lock_timeout = '100ms'"))
            other.execute(text("UPDATE audit_head SET seq = seq"))
    assert caught.value.code == "database_unavailable"
    with pytest.raises(Unavailable), reading(engine) as connection:
        connection.execute(text("SET LOCAL statement_timeout = '100ms'"))
        connection.execute(text("SELECT pg_sleep(60)"))
    with reading(engine) as connection:
        bounds = [connection.execute(text(f"SHOW {name}")).scalar_one()
                  for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")]
    assert bounds == ["15s", "10s", "30s"]


def test_a_pool_that_is_used_up_says_unavailable(server: tuple[PostgreSQL, Engine], monkeypatch: pytest.MonkeyPatch) -> None:
    _, engine = server
    monkeypatch.setattr(engine.pool, "_timeout", 0.1)
    held = [engine.connect() for _ in range(20)]
    with pytest.raises(Unavailable):
        database_now(engine)
    for connection in held:
        connection.close()
    assert database_now(engine) > 0


def test_a_read_is_of_one_moment(pair: StorageSettings) -> None:
    storage = open_storage(pair)
    client = client_in(storage.engine)
    with reading(storage.engine) as connection:
        first = connection.execute(text("SELECT count(*) FROM supports")).scalar_one()
        committed = threading.Thread(target=insert_one, args=(storage, client))
        committed.start()
        committed.join()
        assert connection.execute(text("SELECT count(*) FROM supports")).scalar_one() == first == 0
    with reading(storage.engine) as connection:
        assert connection.execute(text("SELECT count(*) FROM supports")).scalar_one() == 1
    storage.engine.dispose()


def test_rows_of_the_first_release_come_up_to_date_revision_by_revision(engine: Engine, bare_pair: StorageSettings) -> None:
    with writing(engine) as connection:
        config = _configuration(connection)
        revisions = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()][::-1]
        alembic.command.upgrade(config, revisions[0])
        _rows_of_the_first_release(connection)
    for revision in revisions[1:]:
        with writing(engine) as connection:
            alembic.command.upgrade(_configuration(connection), revision)
    pending_changes(engine)
    upgrade(engine)
    storage = open_storage(bare_pair)
    record = get_support(storage.engine, SUPPORT)
    assert (record.process, record.round, [part.part for part in record.parts]) == ("demo", 1, ["front"])
    (lease,) = claim(storage.engine, JobKind.SUPPORT, "w", 10)
    assert (lease.subject_id, lease.token, lease.attempt) == (SUPPORT, 3, 2)
    storage.engine.dispose()


SUPPORT = "01998000-0000-7000-8000-000000000001"


def _rows_of_the_first_release(connection: Connection) -> None:
    """A support that waits for its second attempt, as release 0001 wrote it: by the tables as that database has them."""
    tables = MetaData()
    tables.reflect(connection)
    moment = 1_790_000_000_000
    rows: dict[str, dict[str, object]] = {
        "clients": {"id": "c", "name": "first", "secret_sha256": "0" * 64, "created_at": moment},
        "supports": {"id": SUPPORT, "client_id": "c", "process": "demo", "policy_version": "demo-1", "as_of": "2026-11-24",
                     "state": "processing", "round": 1, "version": 2, "received_at": moment, "updated_at": moment},
        "parts": {"support_id": SUPPORT, "part": "front", "version": 1, "sha256": "1" * 64, "size": 5, "blob_key": "01/front.1"},
        "support_keys": {"support_id": SUPPORT, "kek_id": "k", "wrapped": b"w", "created_at": moment},
        "jobs": {"id": "j", "kind": "support", "subject_id": SUPPORT, "round": 1, "enqueued_at": moment, "claimable_at": moment,
                 "attempts": 1, "fence": 2, "worker": "gone"},
        "idempotency": {"client_id": "c", "key": "k", "request_sha256": "2" * 64, "support_id": SUPPORT, "created_at": moment},
    }
    for name, row in rows.items():
        connection.execute(insert(tables.tables[name]).values(row))


def test_a_program_older_than_the_tables_goes_on(pair: StorageSettings) -> None:
    """Between the migration of an upgrade and its end both versions run, and the former may be started again."""
    storage = open_storage(pair)
    with storage.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'of_the_next'"))
    storage.engine.dispose()
    again = open_storage(pair)  # as the former version would
    assert database_now(again.engine) > 0
    with again.engine.connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == "of_the_next"
