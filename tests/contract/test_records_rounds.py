"""What records promise of rounds, whatever their callers looked at before: the state under the lock decides."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import update

from pipeline.domain.decision import Decision, Ground, Ruling
from pipeline.domain.verdict import Outcome
from pipeline.errors import Conflict, NotFound
from pipeline.records.engine import writing
from pipeline.records.leases import JobKind, claim
from pipeline.records.rounds import Retake, Wish, insert_decision, insert_retake, insert_wish
from pipeline.records.storage import Storage, open_key, store_part
from pipeline.records.supports import IdempotencyKey, finish, get_support
from pipeline.records.tables import supports
from tests.contract.record_makers import client_in, finished, insert_one
from tests.contract.test_records_supports import rows

STATES = ["received", "processing", "accepted", "rejected", "retake_wanted", "in_review", "final"]
YES = Decision(Ruling.ACCEPTED, Ground.CONFIRMED)


def asked_again(storage: Storage) -> str:
    """A support of which the back is wanted again."""
    support_id = insert_one(storage, client_in(storage.engine))
    (lease,) = claim(storage.engine, JobKind.SUPPORT, "w", 30)
    finish(storage.engine, lease, finished(Outcome.RETAKE))
    return support_id


def retake(storage: Storage, support_id: str, round_: int = 2, key: str = "k") -> None:
    record = get_support(storage.engine, support_id)
    part = store_part(storage.blobs, open_key(storage, record), "back", round_, b"new")
    insert_retake(storage.engine, Retake(support_id, record.client_id, part, IdempotencyKey(key, "0" * 64)))


def wish(storage: Storage, support_id: str, round_: int = 2) -> None:
    insert_wish(storage.engine, Wish(support_id, get_support(storage.engine, support_id).client_id, round_, b"sealed"))


def decide(storage: Storage, support_id: str) -> None:
    officer = client_in(storage.engine)
    insert_decision(storage.engine, support_id, officer, YES)


REFUSED: dict[str, tuple[Callable[[Storage, str], None], dict[str, str]]] = {
    "retake": (retake, {"received": "verdict_pending", "processing": "verdict_pending", "accepted": "retake_not_wanted",
                        "rejected": "retake_not_wanted", "in_review": "retake_not_wanted", "final": "retake_not_wanted"}),
    "wish": (wish, dict.fromkeys(["received", "processing", "accepted", "rejected", "final"], "review_not_offered")),
    "decision": (decide, {"received": "verdict_pending", "processing": "verdict_pending"}),
}


LEADS_TO = {"retake": "received", "wish": "in_review", "decision": "final"}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("act", REFUSED)
def test_the_state_under_the_lock_decides(act: str, state: str, storage: Storage) -> None:
    """Its caller saw a support that wanted a retake; meanwhile it is in `state`."""
    do, refused = REFUSED[act]
    support_id = asked_again(storage)
    with writing(storage.engine) as connection:
        connection.execute(update(supports).values(state=state))
    kept = {name: count for name, count in rows(storage).items() if name not in ("clients", "audit")}
    if state in refused:
        with pytest.raises(Conflict) as caught:
            do(storage, support_id)
        assert caught.value.code == refused[state]
        assert {name: count for name, count in rows(storage).items() if name in kept} == kept
    else:
        do(storage, support_id)
        assert get_support(storage.engine, support_id).state == LEADS_TO[act]


@pytest.mark.parametrize("act", [retake, wish])
@pytest.mark.parametrize("round_", [1, 3])
def test_what_was_meant_for_another_round_is_refused(act: Callable[..., Any], round_: int, storage: Storage) -> None:
    """Sealed for the round that the caller saw: it would not open in another."""
    support_id = asked_again(storage)
    before = rows(storage)
    with pytest.raises(Conflict) as caught:
        act(storage, support_id, round_)
    assert caught.value.code == "round_moved"
    assert rows(storage) == before


def test_another_client_s_support_is_as_absent_as_none(storage: Storage) -> None:
    support_id, other = asked_again(storage), client_in(storage.engine)
    part = store_part(storage.blobs, open_key(storage, get_support(storage.engine, support_id)), "back", 2, b"new")
    with pytest.raises(NotFound):
        insert_retake(storage.engine, Retake(support_id, other, part, IdempotencyKey("k", "0" * 64)))
    with pytest.raises(NotFound):
        insert_wish(storage.engine, Wish(support_id, other, 2, b"sealed"))
