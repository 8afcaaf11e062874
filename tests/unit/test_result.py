"""The JSON of a support has every key of the contract, whatever became of it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from pipeline.decide import decide
from pipeline.domain.support import State
from pipeline.domain.verdict import CheckName, Reason, Subject
from pipeline.result import Heading, pending_resource, support_resource, unexamined_resource
from tests.unit.good_support import AS_OF, context, good_support

# Copied from the contract, which others rely on.
KEYS = {"id", "source", "status", "round", "process", "received_at", "as_of", "policy_version", "verdict", "reasons", "card", "codes",
        "mrz", "fields", "face", "signature", "checks", "timings_ms", "networks", "versions"}
CHECKS = ("door front_located back_located model_accepted model_as_chosen same_card side_quality small_qr large_qrs pdf417 mrz_valid "
          "qr_mrz mrz_front curp elector_key expiry demarcation portrait_found face_match ghost_match signature_present "
          "presentation_front presentation_back presentation_selfie reuse_image reuse_card reuse_face reuse_signature registry device "
          "consent").split()
HEADING = Heading("0193", "out/0000-good-E", 1, datetime(2026, 11, 24, 12, tzinfo=UTC))


def judged(**changes: Any) -> dict[str, Any]:
    evidence = replace(good_support(), **changes)
    resource = support_resource(HEADING, evidence, decide(evidence, context()), context())
    loaded: dict[str, Any] = json.loads(json.dumps(resource))
    return loaded


REASON = Reason("support.processing_failed", Subject.SUPPORT, "no attempt came to an end")
WAITING = pending_resource(HEADING, State.RECEIVED, "demo", AS_OF, "demo-1")
GIVEN_UP = unexamined_resource(HEADING, REASON, "demo", AS_OF, "demo-1")


@pytest.mark.parametrize("resource", [judged(), judged(mrz=None, codes=()), WAITING, GIVEN_UP])
def test_no_key_is_left_out(resource: dict[str, Any]) -> None:
    assert set(resource) >= KEYS


def test_a_judged_support() -> None:
    resource = judged()
    assert (resource["verdict"], resource["status"], resource["reasons"]) == ("accepted", "accepted", [])
    assert [check["name"] for check in resource["checks"]] and {check["name"] for check in resource["checks"]} == set(CHECKS)
    assert {check["outcome"] for check in resource["checks"]} <= {"passed", "failed", "uncertain", "not_executed"}
    assert resource["card"]["model"] == "E" and resource["card"]["front"]["capture"] == "front"
    assert resource["card"]["front"]["corners"] == [[100, 100], [1812, 100], [1812, 1180], [100, 1180]]
    assert resource["mrz"]["valid"] is True and len(resource["mrz"]["lines"]) == 3
    assert resource["fields"]["cic"] == {"value": "183657717", "confidence": 1.0, "source": "mrz", "box_mm": None, "readings": [
        {"value": "183657717", "confidence": 1.0, "source": "mrz"}, {"value": "183657717", "confidence": 1.0, "source": "small_qr"}]}
    assert resource["fields"]["ocr"]["value"] == "0747116375842"
    assert "locality" not in resource["fields"]
    assert resource["face"]["outcome"] == "match" and resource["face"]["threshold"] == 0.36
    assert resource["signature"]["outcome"] == "passed" and resource["signature"]["kind"] == "signature"
    assert all(code["decrypted"] is False for code in resource["codes"])


def test_a_waiting_support_concludes_nothing() -> None:
    assert (WAITING["verdict"], WAITING["status"], WAITING["checks"]) == (None, "received", [])


def test_a_support_given_up_on_goes_to_a_person() -> None:
    assert (GIVEN_UP["verdict"], GIVEN_UP["status"]) == ("review", "in_review")
    assert [reason["code"] for reason in GIVEN_UP["reasons"]] == ["support.processing_failed"]
    assert [check["name"] for check in GIVEN_UP["checks"]] == [name.value for name in CheckName]


def test_reasons_speak_to_citizens_in_spanish() -> None:
    broken = good_support()
    resource = judged(signature=replace(broken.signature, kind=type(broken.signature.kind).BLANK))
    assert resource["reasons"] == [{"code": "signature.missing", "subject": "signature", "detail": "drawn: blank",
                                    "message": "Falta tu firma. Firma en la pantalla y envía otra vez.", "ine": "sin firma"}]
