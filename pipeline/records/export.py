"""What is held on the citizen of one support, opened and put into one file: the answer to a request for access (ARCO).

All rounds: pictures and words as they came, what the machine read and concluded, its fingerprints (an embedding is a face too),
what was told of it, and the trail. Not in it: which other supports it was like, since that tells of other people.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Row, select

from pipeline.blobs.files import PRIVATE_FILE
from pipeline.blobs.sealing import SupportKey, WrappedKey
from pipeline.clock import from_millis
from pipeline.errors import BadUpload, Conflict, Corrupt, NotFound
from pipeline.records import audit
from pipeline.records.engine import reading, writing
from pipeline.records.storage import Storage, load_part
from pipeline.records.supports import stored_part
from pipeline.records.tables import audit as trail
from pipeline.records.tables import (
    decisions,
    erasures,
    fingerprints,
    holds,
    jobs,
    outbox,
    parts,
    support_keys,
    supports,
    verdicts,
)

LEAME = """Lo que este servicio guarda del apoyo {id}.

apoyo.json          el registro: fechas, estado, proceso, rondas con sus códigos, la decisión de una persona si la hubo
capturas/           las fotografías, la firma y las palabras enviadas, tal como llegaron; el número es la ronda
resultados/         lo que la máquina leyó y concluyó en cada ronda
huellas/            los valores con los que se buscan copias; los del rostro son datos biométricos
eventos.json        lo que se avisó al sistema que envió el apoyo
bitacora.json       lo que se hizo con el apoyo y quién, con identificadores
recibo.json         si fue borrado: el recibo firmado
faltantes.json      lo que ya no se puede abrir, con su motivo

No se incluye con qué otros apoyos se comparó: hablaría de otras personas.
"""


@dataclass(frozen=True, slots=True)
class Exported:
    """How many files are in it, and how many things could not be opened any more."""

    files: int
    missing: int


def export_support(storage: Storage, support_id: str, out: Path) -> Exported:
    """Write the zip `out`, which must be new, for its owner's eyes alone (0600). The trail says that it was made.

    Raises `NotFound`, `Conflict` (`target_exists`), `Unavailable`; nothing is left of a file that was begun then.
    """
    with writing(storage.engine) as connection:
        if connection.execute(select(supports.c.id).where(supports.c.id == support_id)).one_or_none() is None:
            raise NotFound("no such support", code="support_not_found")
        audit.append(connection, actor="operator", action="support.exported", subject_id=support_id, detail={})
    missing: dict[str, str] = {}
    try:
        descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
    except FileExistsError:
        raise Conflict(f"{out} is there already: name a new file", code="target_exists") from None
    count = 0
    try:
        with os.fdopen(descriptor, "wb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in _contents(storage, support_id, missing):
                archive.writestr(name, data)
                count += 1
            archive.writestr("faltantes.json", _json(missing))
    except BaseException:
        out.unlink(missing_ok=True)
        raise
    return Exported(count + 1, len(missing))


def _contents(storage: Storage, support_id: str, missing: dict[str, str]) -> Iterator[tuple[str, bytes]]:
    """One by one, so that no more than one picture is in memory."""
    engine = storage.engine
    yield "LEAME.txt", LEAME.format(id=support_id).encode()
    with reading(engine) as connection:
        yield "apoyo.json", _json(_record(connection, support_id))
        stored = connection.execute(select(parts).where(parts.c.support_id == support_id)
                                    .order_by(parts.c.version, parts.c.part)).all()
        judged = connection.execute(select(verdicts).where(verdicts.c.support_id == support_id).order_by(verdicts.c.round)).all()
        prints = connection.execute(select(fingerprints).where(fingerprints.c.support_id == support_id)).all()
        wrapped = connection.execute(select(support_keys).where(support_keys.c.support_id == support_id)).one_or_none()
    yield from _told(engine, support_id)
    if wrapped is None:
        return
    key = storage.keyring.unwrap(support_id, WrappedKey(wrapped.kek_id, wrapped.wrapped))
    for row in stored:
        yield from _part(storage, key, row, missing)
    for name, place, rows in (("resultados", "verdict", judged), ("huellas", "fingerprints", prints)):
        for row in rows:
            if row.sealed:
                yield from _opened(key, f"{name}/{row.round}.json", place, row, missing)


def _part(storage: Storage, key: SupportKey, row: Row[Any], missing: dict[str, str]) -> Iterator[tuple[str, bytes]]:
    kept = stored_part(row)
    try:
        data = load_part(storage.blobs, key, kept)
    except (BadUpload, Corrupt) as error:
        missing[f"capturas/{kept.part}.{kept.version}"] = error.code
        return
    kind = "json" if data[:1] in (b"{", b"[") else "png" if data.startswith(b"\x89PNG") else "jpg"
    yield f"capturas/{kept.part}.{kept.version}.{kind}", data


def _opened(key: SupportKey, name: str, place: str, row: Row[Any], missing: dict[str, str]) -> Iterator[tuple[str, bytes]]:
    try:
        yield name, key.open(place, row.round, row.sealed)
    except Corrupt as error:
        missing[name] = error.code


def _record(connection: Connection, support_id: str) -> dict[str, Any]:
    row = connection.execute(select(supports).where(supports.c.id == support_id)).mappings().one()
    held = connection.execute(select(holds.c.reason, holds.c.placed_at).where(holds.c.support_id == support_id)).mappings().all()
    told = (verdicts.c.round, verdicts.c.outcome, verdicts.c.reasons, verdicts.c.policy_version, verdicts.c.decided_at)
    rounds = connection.execute(select(*told)
                                .where(verdicts.c.support_id == support_id).order_by(verdicts.c.round)).mappings()
    decided = connection.execute(select(decisions).where(decisions.c.support_id == support_id)).mappings().all()
    tried = connection.execute(select(jobs.c.round, jobs.c.attempts, jobs.c.last_error, jobs.c.done_at)
                               .where(jobs.c.subject_id == support_id)).mappings()
    return {**_dated(dict(row)), "rounds": [_dated({**one, "reasons": json.loads(one["reasons"])}) for one in rounds],
            "decisions": [_dated(dict(one)) for one in decided], "holds": [_dated(dict(one)) for one in held],
            "attempts": [_dated(dict(one)) for one in tried]}


def _told(engine: Engine, support_id: str) -> Iterator[tuple[str, bytes]]:
    with reading(engine) as connection:
        events = connection.execute(select(outbox.c.id, outbox.c.kind, outbox.c.body, outbox.c.created_at)
                                    .where(outbox.c.subject_id == support_id).order_by(outbox.c.id)).mappings().all()
        rows = connection.execute(select(trail.c.seq, trail.c.at, trail.c.actor, trail.c.action, trail.c.detail)
                                  .where(trail.c.subject_id == support_id).order_by(trail.c.seq)).mappings().all()
        receipt = connection.execute(select(erasures.c.receipt).where(erasures.c.support_id == support_id)).scalar_one_or_none()
    yield "eventos.json", _json([_dated({**one, "body": json.loads(one["body"])}) for one in events])
    yield "bitacora.json", _json([_dated({**one, "detail": json.loads(one["detail"])}) for one in rows])
    if receipt is not None:
        yield "recibo.json", str(receipt).encode()


def _dated(row: dict[str, Any]) -> dict[str, Any]:
    """Moments as people read them."""
    return {name: from_millis(value).isoformat() if isinstance(value, int) and (name == "at" or name.endswith("_at")) else value
            for name, value in row.items()}


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=1).encode()
