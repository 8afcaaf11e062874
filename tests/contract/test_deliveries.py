"""What records promise of deliveries: each event once for each who asked, leased, fenced, dead at last, and revived."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update

from pipeline.domain.verdict import Outcome
from pipeline.errors import Conflict, NotFound
from pipeline.records import tables
from pipeline.records.deliveries import (
    MAIL,
    Attempt,
    add_test,
    claim_deliveries,
    due_targets,
    hand_on,
    oldest_due_seconds,
    replay_dead,
    settle_delivered,
    settle_failed,
)
from pipeline.records.engine import reading, writing
from pipeline.records.leases import JobKind, claim
from pipeline.records.outbox import EventKind
from pipeline.records.rounds import Retake, insert_retake
from pipeline.records.storage import Storage, open_key, store_part
from pipeline.records.supports import IdempotencyKey, finish, get_support
from pipeline.records.webhooks import (
    MOST,
    add_webhook,
    get_webhook,
    list_webhooks,
    remove_webhook,
    rotate_secret,
    signing_secrets,
)
from tests.contract.record_makers import client_in, finished, insert_one

LONGEST = 86_400.0
DECIDED = frozenset({EventKind.DECIDED})


def hook(storage: Storage, client: str, events: frozenset[EventKind] = DECIDED) -> str:
    return add_webhook(storage, client, "https://example.org/hook", events)[0].id


def judge(storage: Storage, outcome: Outcome = Outcome.ACCEPTED) -> None:
    (lease,) = claim(storage.engine, JobKind.SUPPORT, "w", 30)
    finish(storage.engine, lease, finished(outcome))


def take(storage: Storage, target: str, lease_seconds: float = 30) -> list[Attempt]:
    return claim_deliveries(storage.engine, target, 10, lease_seconds, LONGEST)


def one_due(storage: Storage, client: str) -> tuple[str, Attempt]:
    """A webhook and the one attempt that is due to it."""
    webhook = hook(storage, client)
    add_test(storage.engine, client, webhook)
    (attempt,) = take(storage, webhook)
    return webhook, attempt


def test_each_event_goes_once_to_each_who_asked_for_it(storage: Storage, client: str) -> None:
    other = client_in(storage.engine)
    first, second = hook(storage, client), hook(storage, client, frozenset({EventKind.RECEIVED, EventKind.DECIDED}))
    theirs = hook(storage, other, frozenset(EventKind(kind) for kind in ("support.received", "support.decided")))
    removed = hook(storage, client)
    remove_webhook(storage, client, removed)
    support_id = insert_one(storage, client)
    judge(storage)
    late = hook(storage, client)  # told of what comes after it, though nothing was handed on yet
    assert hand_on(storage.engine, 0) == 0
    assert sorted(target for target, _ in due_targets(storage.engine, LONGEST)) == sorted([first, second])
    assert [(one.kind, one.body["support"]) for one in take(storage, first)] == [(EventKind.DECIDED, support_id)]
    assert {one.kind for one in take(storage, second)} == {EventKind.RECEIVED, EventKind.DECIDED}
    assert take(storage, theirs) == take(storage, removed) == take(storage, late) == []
    assert due_targets(storage.engine, LONGEST) == []


def test_a_hook_made_before_the_clock_was_set_back_is_told(storage: Storage, client: str) -> None:
    webhook = hook(storage, client)
    with writing(storage.engine) as connection:
        connection.execute(update(tables.webhooks).values(created_at=tables.webhooks.c.created_at + 86_400_000))
    insert_one(storage, client)
    judge(storage)
    hand_on(storage.engine, 0)
    assert [one.kind for one in take(storage, webhook)] == [EventKind.DECIDED]


def test_a_retake_waits_and_is_told_to_nobody_if_it_is_taken_at_once(storage: Storage, client: str) -> None:
    webhook = hook(storage, client)
    support_id = insert_one(storage, client)
    judge(storage, Outcome.RETAKE)
    hand_on(storage.engine, 60)
    assert take(storage, webhook) == [], "it waits"
    part = store_part(storage.blobs, open_key(storage, get_support(storage.engine, support_id)), "back", 2, b"new")
    insert_retake(storage.engine, Retake(support_id, client, part, IdempotencyKey("again", "0" * 64)))
    hand_on(storage.engine, 60)
    assert take(storage, webhook) == [], "it is superseded"
    judge(storage)
    hand_on(storage.engine, 60)
    assert [(one.body["round"], one.body["outcome"]) for one in take(storage, webhook)] == [(2, "accepted")]


def test_a_retake_that_is_not_taken_is_told_after_the_wait(storage: Storage, client: str) -> None:
    webhook = hook(storage, client)
    insert_one(storage, client)
    judge(storage, Outcome.RETAKE)
    hand_on(storage.engine, 60)
    with writing(storage.engine) as connection:
        for table in (tables.outbox, tables.webhooks):
            connection.execute(update(table).values(created_at=table.c.created_at - 60_001))
    hand_on(storage.engine, 60)
    assert [one.body["outcome"] for one in take(storage, webhook)] == ["retake"]


def test_a_lease_that_runs_out_is_due_again_and_its_holder_cannot_write(storage: Storage, client: str) -> None:
    webhook, _ = one_due(storage, client)
    assert take(storage, webhook) == [], "leased"
    add_test(storage.engine, client, webhook)
    (lost,) = take(storage, webhook, lease_seconds=0)
    (held,) = take(storage, webhook)
    assert (held.event_id, held.number, held.fence) == (lost.event_id, 2, lost.fence + 1)
    assert not settle_failed(storage.engine, lost, "timeout", 5)
    assert not settle_failed(storage.engine, lost, "timeout", None)
    assert not settle_delivered(storage.engine, lost)
    assert settle_delivered(storage.engine, held)
    assert not settle_failed(storage.engine, held, "timeout", None), "delivered stays delivered"
    assert get_webhook(storage, client, webhook)[1].delivered == 1


def test_a_clock_that_was_set_back_keeps_no_delivery_waiting(storage: Storage, client: str) -> None:
    webhook, attempt = one_due(storage, client)
    assert settle_failed(storage.engine, attempt, "status_500", LONGEST - 60)
    assert take(storage, webhook) == []
    with writing(storage.engine) as connection:
        connection.execute(update(tables.deliveries).values(due_at=tables.deliveries.c.due_at + 3_600_000))
    assert due_targets(storage.engine, LONGEST) == [(webhook, "https://example.org/hook")]
    assert [again.event_id for again in take(storage, webhook)] == [attempt.event_id]


def test_a_failure_waits_and_the_last_one_is_told_to_the_operator(storage: Storage, client: str) -> None:
    webhook, attempt = one_due(storage, client)
    assert settle_failed(storage.engine, attempt, "status_500", 3600)
    assert take(storage, webhook) == []
    assert oldest_due_seconds(storage.engine) >= 0
    with writing(storage.engine) as connection:
        connection.execute(update(tables.deliveries).values(due_at=0))
    (again,) = take(storage, webhook)
    assert (again.event_id, again.number) == (attempt.event_id, 2)
    assert settle_failed(storage.engine, again, "status_503", None)
    tally = get_webhook(storage, client, webhook)[1]
    assert (tally.waiting, tally.dead, tally.last_error) == (0, 1, "status_503")
    assert take(storage, webhook) == []
    hand_on(storage.engine, 0)
    assert due_targets(storage.engine, LONGEST) == [(MAIL, "")]
    (told,) = take(storage, MAIL)
    assert (told.kind, told.body) == (EventKind.DEAD, {
        "webhook": webhook, "event": attempt.event_id, "type": "webhook.test", "error": "status_503"})
    assert settle_failed(storage.engine, told, "mail", None)
    assert hand_on(storage.engine, 0) == 0, "a mail that fails is not told by mail"


def test_a_replay_revives_what_is_dead_with_its_event_id(storage: Storage, client: str) -> None:
    webhook, attempt = one_due(storage, client)
    settle_failed(storage.engine, attempt, "timeout", None)
    assert replay_dead(storage.engine, client, webhook) == 1
    assert replay_dead(storage.engine, client, webhook) == 0
    (again,) = take(storage, webhook)
    assert (again.event_id, again.number, again.fence > attempt.fence) == (attempt.event_id, 1, True)


def test_a_removed_webhook_is_told_nothing_more_and_keeps_no_secret(storage: Storage, client: str) -> None:
    webhook, attempt = one_due(storage, client)
    settle_failed(storage.engine, attempt, "timeout", 0)
    remove_webhook(storage, client, webhook)
    assert due_targets(storage.engine, LONGEST) == take(storage, webhook) == list_webhooks(storage, client) == []
    assert oldest_due_seconds(storage.engine) == 0
    for look in (lambda: signing_secrets(storage, webhook), lambda: get_webhook(storage, client, webhook),
                 lambda: rotate_secret(storage, client, webhook), lambda: remove_webhook(storage, client, webhook)):
        with pytest.raises(NotFound):
            look()
    with reading(storage.engine) as connection:
        row = connection.execute(select(tables.webhooks)).one()
    assert (row.sealed, row.wrapped) == (b"", b"")


def test_a_secret_is_sealed_and_after_a_rotation_two_sign_for_a_day(storage: Storage, client: str) -> None:
    webhook, first = add_webhook(storage, client, "https://example.org/", DECIDED)
    second, until = rotate_secret(storage, client, webhook.id)
    assert signing_secrets(storage, webhook.id) == [second, first]
    third, _ = rotate_secret(storage, client, webhook.id)
    assert signing_secrets(storage, webhook.id) == [third, second]
    assert 86_000 < (until - webhook.created_at).total_seconds() < 87_000
    with reading(storage.engine) as connection:
        kept = str(connection.execute(select(tables.webhooks)).one())
    assert not [secret for secret in (first, second, third) if secret in kept or secret.removeprefix("whsec_") in kept]


def test_another_s_webhook_is_as_absent_as_none_and_a_client_has_so_many(storage: Storage, client: str) -> None:
    webhook, other = hook(storage, client), client_in(storage.engine)
    for look in (get_webhook, remove_webhook, rotate_secret):
        with pytest.raises(NotFound):
            look(storage, other, webhook)
    for _ in range(MOST - 1):
        hook(storage, client)
    with pytest.raises(Conflict) as caught:
        hook(storage, client)
    assert caught.value.code == "too_many_webhooks"
    remove_webhook(storage, client, webhook)
    hook(storage, client)
