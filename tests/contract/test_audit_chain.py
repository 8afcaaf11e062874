"""The trail cannot be changed unseen: each way to do it is found, by the chain alone or by a head that was kept elsewhere."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import anyio
import pytest
from sqlalchemy import Connection, Engine, delete, insert, select, text, update

from pipeline.records import audit
from pipeline.records.audit import Head, first_broken, head
from pipeline.records.engine import writing
from pipeline.records.storage import Storage
from pipeline.records.tables import audit as rows
from pipeline.records.tables import audit_head
from tests.contract.intake_makers import OFFICER, service
from tests.contract.test_api_rounds import support_in
from tests.system.test_backup import apoyo

COUNT = 12


def fill(engine: Engine, count: int = COUNT) -> None:
    for number in range(count):
        with writing(engine) as connection:
            audit.append(connection, actor="system", action="test.done", subject_id=f"s{number}", detail={"number": number})


def digest(row: dict[str, Any]) -> str:
    told = [row[name] for name in ("seq", "at", "actor", "action", "subject_id", "detail", "previous")]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def write_anew(connection: Connection, start: int, change: Callable[[dict[str, Any]], None]) -> None:
    """As one who knows how the chain is made, and may write everywhere: from a row on, every hash made again, and the head."""
    found = [dict(row) for row in connection.execute(select(rows).where(rows.c.seq >= start).order_by(rows.c.seq)).mappings()]
    change(found[0])
    connection.execute(delete(rows).where(rows.c.seq >= start))
    for before, row in zip([None, *found], found, strict=False):
        row["previous"] = row["previous"] if before is None else before["hash"]
        row["hash"] = digest(row)
        connection.execute(insert(rows).values(**row))
    connection.execute(update(audit_head).values(seq=found[-1]["seq"], hash=found[-1]["hash"]))


def cut(connection: Connection, after: int) -> None:
    connection.execute(delete(rows).where(rows.c.seq > after))
    last = connection.execute(select(rows.c.hash).where(rows.c.seq == after)).scalar_one()
    connection.execute(update(audit_head).values(seq=after, hash=last))


def swap(connection: Connection, one: int, other: int) -> None:
    for number, place in ((one, -1), (other, one), (-1, other)):
        connection.execute(update(rows).where(rows.c.seq == number).values(seq=place))


def replace_one(connection: Connection) -> None:
    row = dict(connection.execute(select(rows).where(rows.c.seq == 5)).mappings().one())
    row["detail"] = json.dumps({"number": 99})
    row["hash"] = digest(row)
    connection.execute(update(rows).where(rows.c.seq == 5).values(detail=row["detail"], hash=row["hash"]))


def add_behind(connection: Connection) -> None:
    row = dict(connection.execute(select(rows).where(rows.c.seq == COUNT)).mappings().one())
    row.update(seq=COUNT + 1, previous="0" * 64, action="test.forged")
    row["hash"] = digest(row)
    connection.execute(insert(rows).values(**row))


TAMPER: dict[str, tuple[int, Callable[[Connection], object]]] = {
    **{f"{column} changed": (3, lambda c, column=column, value=value: c.execute(  # type: ignore[misc]
        update(rows).where(rows.c.seq == 3).values({column: value})))
       for column, value in {"actor": "x", "action": "x", "subject_id": "x", "detail": "{}", "at": 1, "previous": "1" * 64,
                             "hash": "1" * 64}.items()},
    "the first taken away": (1, lambda c: c.execute(delete(rows).where(rows.c.seq == 1))),
    "one taken away": (6, lambda c: c.execute(delete(rows).where(rows.c.seq == 6))),
    "the last taken away": (COUNT, lambda c: c.execute(delete(rows).where(rows.c.seq == COUNT))),
    "all taken away": (1, lambda c: c.execute(delete(rows))),
    "two in each other's place": (4, lambda c: swap(c, 4, 5)),
    "renumbered": (6, lambda c: c.execute(text("DELETE FROM audit WHERE seq = 6")) and c.execute(
        text("UPDATE audit SET seq = -seq WHERE seq > 6")) and c.execute(text("UPDATE audit SET seq = -seq - 1 WHERE seq < 0"))),
    "one with its own hash made again": (6, replace_one),
    "one added behind": (COUNT + 1, add_behind),
    "the head set back": (COUNT + 1, lambda c: c.execute(update(audit_head).values(seq=COUNT - 1))),
}


@pytest.mark.parametrize("case", TAMPER)
def test_the_chain_alone_finds_it(storage: Storage, case: str) -> None:
    fill(storage.engine)
    assert first_broken(storage.engine) is None
    place, tamper = TAMPER[case]
    with writing(storage.engine) as connection:
        tamper(connection)
    assert first_broken(storage.engine) == place


@pytest.mark.parametrize(("place", "tamper"), [
    (10, lambda c: cut(c, 9)), (1, lambda c: write_anew(c, 1, lambda row: row.update(actor="nobody"))),
    (COUNT, lambda c: write_anew(c, COUNT, lambda row: row.update(detail="{}")))], ids=["cut with its head", "written anew", "the last anew"])
def test_what_its_owner_can_do_is_found_by_a_head_that_was_kept(storage: Storage, place: int, tamper: Callable[[Connection], object]) -> None:
    fill(storage.engine)
    kept = head(storage.engine)
    with writing(storage.engine) as connection:
        tamper(connection)
    assert first_broken(storage.engine) is None, "the chain alone cannot tell"
    assert first_broken(storage.engine, kept) == (place if place == 10 else COUNT)
    fill(storage.engine, 5)
    assert first_broken(storage.engine, kept) is not None, "nor does it help to go on"


def test_a_kept_head_holds_as_the_trail_grows(storage: Storage) -> None:
    fill(storage.engine)
    kept = head(storage.engine)
    fill(storage.engine, 5)
    assert (kept.seq, first_broken(storage.engine, kept)) == (COUNT, None)
    assert first_broken(storage.engine, Head(COUNT + 6, "0" * 64)) == COUNT + 6


def test_many_writers_make_one_chain(storage: Storage) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: fill(storage.engine, 10), range(8)))
    assert (head(storage.engine).seq, first_broken(storage.engine)) == (80, None)


def test_the_commands_say_so(tmp_path: Path) -> None:
    from tests.contract.record_makers import storage_in

    storage = storage_in(tmp_path / "data")
    fill(storage.engine)
    apoyo(tmp_path / "data", "audit", "head", "--out", tmp_path / "head")
    assert "12 rows hold" in apoyo(tmp_path / "data", "audit", "verify", "--head", tmp_path / "head")
    with writing(storage.engine) as connection:
        cut(connection, 9)
    assert "9 rows hold; without --head" in apoyo(tmp_path / "data", "audit", "verify")
    assert "from row 10 on" in apoyo(tmp_path / "data", "audit", "verify", "--head", tmp_path / "head", code=1)
    (tmp_path / "other").write_text("no head")
    assert "bad_audit_head" in apoyo(tmp_path / "data", "audit", "verify", "--head", tmp_path / "other", code=2)


def test_every_look_of_an_officer_is_in_the_trail_and_no_backend_s(tmp_path: Path) -> None:
    async def run() -> None:
        with service(tmp_path) as under_test:
            place = await support_in(under_test, "accepted")
            for headers in (OFFICER, OFFICER, {}):
                assert (await under_test.client.get(place, headers=headers)).status_code == 200
            assert (await under_test.client.get(f"{place[:-1]}", headers=OFFICER)).status_code == 404
            with under_test.storage.engine.connect() as connection:
                told = connection.execute(select(rows).where(rows.c.action == "support.looked_at")).all()
            assert [row.subject_id for row in told] == [place.rpartition("/")[2]] * 2
            assert len({row.actor for row in told}) == 1

    anyio.run(run)
