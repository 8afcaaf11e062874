"""The pack of a support that the service judged: the verdict as it was given, and what it was given by."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import TypeAdapter

from pipeline.domain.calibration import Calibration
from pipeline.domain.reuse import NOT_LOOKED_UP, Reuse
from pipeline.packs import SUFFIX
from pipeline.packs.file import write_pack
from pipeline.packs.frozen import FORMAT, Frozen
from pipeline.packs.pictures import pictures_of
from pipeline.records import audit
from pipeline.records.activations import activated
from pipeline.records.engine import writing
from pipeline.records.processes import find_process
from pipeline.records.storage import INFO, Storage, judged_support, load_parts
from pipeline.worker import capture_of

ACTOR = "command:pack"


def pack_stored(storage: Storage, support_id: str, calibration: Calibration, key: Ed25519PrivateKey, folder: Path) -> Path:
    """Writes `folder`/ID.apoyo of the current round, and a line in the trail. calibration: the installation's, of now.

    Raises `NotFound`; `BadInput` for one that has no verdict yet; `Corrupt` (one that was erased too), `Unavailable`.
    """
    record, verdict = judged_support(storage, support_id)
    policy = find_process(storage.engine, record.process, verdict["policy_version"]).process
    parts = load_parts(storage, record)
    capture = capture_of(parts, {part.part: part.sha256 for part in record.parts})
    known_phone = activated(storage.engine, record.client_id, record.device)
    frozen = Frozen(FORMAT, record.id, record.round, record.received_at, record.as_of, policy, _reuse(verdict), None,
                    record.device, known_phone, calibration, verdict["networks"], {})
    path = folder / f"{record.id}{SUFFIX}"
    write_pack(path, frozen, capture, parts.get(INFO, b"{}"), verdict, pictures_of(capture, verdict), key)
    with writing(storage.engine) as connection:
        audit.append(connection, actor=ACTOR, action="support.packed", subject_id=record.id, detail={"round": record.round})
    return path


def _reuse(verdict: dict[str, Any]) -> Reuse:
    """As it was looked up then; what was judged without a look-up keeps that."""
    told = verdict.get("reuse")
    return NOT_LOOKED_UP if told is None else TypeAdapter(Reuse).validate_python(told)
