"""Schemathesis over /openapi.json: what it describes is what is answered, to each role, about things that are there.

`routes` asks with what the description does not say and knows only that an answer must be one of its own. Here a tool that
others wrote holds description and answers against each other: statuses, media types, headers and bodies, methods that are not
offered, secrets left out, what the description forbids and is taken, what it allows and is refused. `make security` installs
it. Routes that need a phone's signature are asked without one.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.security.door import GOOD, Row
from benchmarks.security.served import Served
from pipeline.records.clients import Role, add_client, new_secret
from pipeline.records.erasures import Asked, erase
from pipeline.records.processes import ProcessFile, apply_process
from pipeline.records.receipts import Cause, read_receipt
from pipeline.records.storage import Storage

ROLES = (Role.BACKEND, Role.OFFICER, Role.AUDITOR, Role.OPERATOR)
"""The operator last: it erases the support that the others ask for."""
REFUSED_ALL_THE_SAME = {
    "GET /v1/supports": "no schema says which letter checks a folio",
    "POST /v1/supports": "no schema says what a JPEG is, nor which processes there are",
    "POST /v1/activations": "nor what a provider signs",
    "PUT /v1/supports/{support_id}/captures/{side}": "nor what a JPEG is",
}
"""Where the schema allows more than is taken: `positive_data_acceptance` says nothing there."""
RUN_SECONDS = 600


def hold_against(server: Served, storage: Storage, examples: int, seed: int = 1) -> Iterator[Row]:
    """A row for each role and what was asked of it. examples: at most, for each operation. storage: the server's."""
    known = _made(server, storage)
    for role in ROLES:
        secret = server.secret if role is Role.BACKEND else new_secret()
        if role is not Role.BACKEND:
            add_client(storage.engine, f"schema-{role}", secret, role)
        report = _run(server, secret, known, examples, seed)
        wrong = [f"{one['type']} at {', '.join(one['operations'])}" for one in [*report["failures"], *report["errors"]]]
        tested, asked = report["operations"]["tested"], report["test_cases"]["generated"]
        yield Row(f"as {role}", "; ".join(wrong) or f"{asked} requests to {tested} operations hold",
                  not wrong and report["complete"] and tested == report["operations"]["total"])


def _made(server: Served, storage: Storage) -> dict[str, str]:
    """What of the backend's there is to ask for, by the path's parameter."""
    client = server.client
    files = {name: (name, data) for name, data in GOOD.items()}
    answers = [client.post("/v1/supports", files=files, headers={"Idempotency-Key": f"schema-{number}"}) for number in range(2)]
    sent = [answer.raise_for_status().json()["id"] for answer in answers]
    notices = [{"version": "1", "text": "An invented notice."}]
    apply_process(storage.engine, ProcessFile.model_validate({"id": "described", "name": "Invented", "notices": notices}))
    receipt = read_receipt(erase(storage, Asked(sent[1], Cause.ASKED, "operator")))
    hook = client.post("/v1/webhooks", json={"url": "https://hook.example/"}).raise_for_status().json()
    return {"support_id": sent[0], "receipt_id": receipt.id, "webhook_id": hook["id"], "process_id": "described",
            "notice_version": "1"}


def _run(server: Served, secret: str, known: Mapping[str, str], examples: int, seed: int) -> dict[str, Any]:
    """Schemathesis' own report."""
    with tempfile.TemporaryDirectory() as folder:
        settings, report = Path(folder) / "schemathesis.toml", Path(folder) / "report.json"
        settings.write_text(_settings(secret, known), encoding="utf-8")
        done = subprocess.run(
            [str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(settings), "run",
             f"http://{server.host}:{server.port}/openapi.json", "--seed", str(seed), "--max-examples", str(examples),
             "--continue-on-failure", "--request-timeout", "10", "--report", "json", "--report-json-path", str(report)],
            capture_output=True, text=True, check=False, timeout=RUN_SECONDS, cwd=folder)
        if not report.exists():
            raise RuntimeError(f"schemathesis ended with {done.returncode} and no report: {done.stderr[-500:]}")
        told: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    return told


def _settings(secret: str, known: Mapping[str, str]) -> str:
    lines = ["max-stream-events = 1", "[headers]", f'Authorization = "Bearer {secret}"', "[parameters]"]
    lines += [f'"path.{name}" = "{value}"' for name, value in known.items()]
    for operation in REFUSED_ALL_THE_SAME:
        lines += ["[[operations]]", f'include-name = "{operation}"', "checks.positive_data_acceptance.enabled = false"]
    return "\n".join(lines) + "\n"
