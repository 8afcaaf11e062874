"""Clients' secrets: replaced with a while in which both open, revoked at once, and never back by a restart."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest
from sqlalchemy import select, update
from typer.testing import CliRunner

from pipeline.cli.main import app
from pipeline.errors import Conflict, NotFound
from pipeline.records import audit
from pipeline.records.clients import (
    SCOPES,
    Role,
    Scope,
    add_client,
    authenticate,
    ensure_first_client,
    list_clients,
    new_secret,
    revoke_client,
    rotate_client,
)
from pipeline.records.engine import writing
from pipeline.records.storage import Storage
from pipeline.records.tables import clients, webhooks
from pipeline.settings import StorageSettings
from tests.contract.intake_makers import URL, service
from tests.contract.record_makers import storage_in
from tests.contract.test_api_refusals import check_problem
from tests.contract.test_webhooks import HOOKS


def test_a_replaced_secret_opens_for_a_while_and_one_before_it_no_more(storage: Storage) -> None:
    first, second, third = new_secret(), new_secret(), new_secret()
    client = add_client(storage.engine, "app", first)
    rotate_client(storage.engine, client.id, second, 3600)
    assert [authenticate(storage.engine, secret) for secret in (first, second)] == [client, client]
    rotate_client(storage.engine, client.id, third, 3600)
    assert [authenticate(storage.engine, secret) for secret in (first, second, third)] == [None, client, client]
    with writing(storage.engine) as connection:
        connection.execute(update(clients).values(previous_until=1))
    assert [authenticate(storage.engine, secret) for secret in (second, third)] == [None, client]
    rotate_client(storage.engine, client.id, second, 0)
    assert [authenticate(storage.engine, secret) for secret in (second, third)] == [client, None]
    assert audit.first_broken(storage.engine) is None


def test_a_revoked_client_is_nobody(storage: Storage) -> None:
    first, second = new_secret(), new_secret()
    client = add_client(storage.engine, "app", first)
    rotate_client(storage.engine, client.id, second, 3600)
    revoke_client(storage.engine, client.id)
    assert [authenticate(storage.engine, secret) for secret in (first, second)] == [None, None]
    for again in (lambda: revoke_client(storage.engine, client.id), lambda: rotate_client(storage.engine, client.id, new_secret(), 0)):
        with pytest.raises(Conflict):
            again()
    with pytest.raises(NotFound):
        revoke_client(storage.engine, "0192f000-0000-7000-8000-000000000000")
    (listed,) = list_clients(storage.engine)
    assert (listed.client, listed.revoked_at is not None, listed.overlap_until) == (client, True, None)


@pytest.mark.parametrize("end", ["revoke", "rotate", "rotate twice"])
def test_what_was_ended_does_not_come_back_by_a_restart(end: str, tmp_path: Path) -> None:
    storage, file = storage_in(tmp_path), tmp_path / "client-secret"
    client = ensure_first_client(storage.engine, file)
    assert client is not None
    secret = file.read_text().strip()
    if end == "revoke":
        revoke_client(storage.engine, client.id)
    for _ in range(end.count("rotate") + end.count("twice")):
        rotate_client(storage.engine, client.id, new_secret(), 0)
    assert ensure_first_client(storage.engine, file) is None
    assert authenticate(storage.engine, secret) is None
    assert len(list_clients(storage.engine)) == 1


def test_the_api_hears_of_it_at_the_next_request(tmp_path: Path) -> None:
    async def run() -> None:
        with service(tmp_path) as under_test:
            (mine,) = [one.client for one in list_clients(under_test.storage.engine) if one.client.name == "first"]
            made = (await under_test.client.post(HOOKS, json={"url": "https://hook.example/"})).json()
            assert (await under_test.client.get(URL)).status_code == 200
            revoke_client(under_test.storage.engine, mine.id)
            check_problem(await under_test.client.get(URL), 401, "unauthorized")
            with under_test.storage.engine.connect() as connection:
                kept = connection.execute(select(webhooks).where(webhooks.c.id == made["id"])).one()
            assert (kept.sealed, kept.wrapped, kept.deleted_at is not None) == (b"", b"", True)

    anyio.run(run)


def test_the_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APOYO_STORAGE__DATA_DIR", str(tmp_path))
    settings = StorageSettings(data_dir=tmp_path)
    storage = storage_in(tmp_path)
    first = ensure_first_client(storage.engine, settings.client_secret_file)
    assert first is not None
    former = settings.client_secret_file.read_text().strip()

    def run(*words: str) -> str:
        done = CliRunner().invoke(app, ["clients", *words], catch_exceptions=False)
        assert done.exit_code == 0
        return done.output

    secret = run("add", "court", "--role", "auditor").rpartition(" ")[2].strip()
    court = authenticate(storage.engine, secret)
    assert court is not None and court.role is Role.AUDITOR
    assert [court.id in run("list"), "active" in run("list"), former in run("list")] == [True, True, False]
    run("rotate", first.id, "--overlap-hours", "0")
    assert authenticate(storage.engine, former) is None
    assert authenticate(storage.engine, settings.client_secret_file.read_text().strip()) == first
    assert settings.client_secret_file.stat().st_mode & 0o777 == 0o600
    run("revoke", court.id)
    assert authenticate(storage.engine, secret) is None
    assert "revoked" in run("list")


def test_a_role_does_what_its_name_says() -> None:
    """What a citizen sent is seen by who sent it and who decides; who audits or operates sees ids and codes."""
    assert {role for role in Role if Scope.READ in SCOPES[role]} == {Role.BACKEND, Role.OFFICER}
    assert {role for role in Role if SCOPES[role] & {Scope.SEND, Scope.ACTIVATE, Scope.HOOKS}} == {Role.BACKEND}
    assert {role for role in Role if Scope.DECIDE in SCOPES[role]} == {Role.OFFICER}
    assert {role for role in Role if Scope.TRAIL in SCOPES[role]} == {Role.AUDITOR}
