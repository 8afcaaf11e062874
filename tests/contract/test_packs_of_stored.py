"""The pack of a support that the service judged holds its verdict, and what it was given by."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pipeline.domain.reuse import Seen
from pipeline.errors import ApoyoError
from pipeline.packs.file import read_pack
from pipeline.packs.stored import pack_stored
from pipeline.records import audit
from pipeline.records.storage import Storage, open_verdict
from pipeline.records.supports import get_support
from tests.contract.test_reuse import Scene, prints
from tests.unit.good_support import calibration

KEY = Ed25519PrivateKey.generate()


def test_a_stored_support_is_packed_as_it_was_judged(storage: Storage, tmp_path: Path) -> None:
    scene = Scene(storage)
    first, copy = scene.send(prints(1)), scene.send(prints(1))
    worker = scene.worker()
    assert (worker.run_once(), worker.run_once()) == (1, 1)
    for support_id, seen in ((first, Seen.NOWHERE), (copy, Seen.SAME_APPLICANT)):
        pack = read_pack(pack_stored(storage, support_id, calibration(), KEY, tmp_path))
        record = get_support(storage.engine, support_id)
        assert pack.verdict == json.loads(open_verdict(storage, record) or b"")
        assert pack.frozen.reuse.image is seen
        assert (pack.frozen.id, pack.frozen.as_of, pack.frozen.policy.id) == (support_id, record.as_of, record.process)
        assert pack.capture.front == support_id.encode()
    told = [entry.subject_id for entry in audit.list_entries(storage.engine, 0, 100) if entry.action == "support.packed"]
    assert told == [first, copy]


@pytest.mark.parametrize(("sent", "code"), [(False, "support_not_found"), (True, "not_judged_yet")])
def test_what_has_no_verdict_has_no_pack(storage: Storage, tmp_path: Path, sent: bool, code: str) -> None:
    scene = Scene(storage)
    support_id = scene.send(prints(1)) if sent else "0190b2c4-0000-7000-8000-000000000000"
    with pytest.raises(ApoyoError) as refused:
        pack_stored(storage, support_id, calibration(), KEY, tmp_path)
    assert refused.value.code == code
    assert list(tmp_path.glob("*.apoyo")) == []
