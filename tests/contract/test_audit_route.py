"""The trail as an auditor reads it: whole, in order, and its chain checked with nothing of ours."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import anyio

from pipeline.records.clients import Role, add_client
from tests.contract.intake_makers import service
from tests.contract.test_api_rounds import support_in

SECRET = "apoyo_an_auditor_for_tests_only_00000000000000000"


def test_the_chain_holds_from_the_first_row_to_the_last(tmp_path: Path) -> None:
    async def run() -> None:
        with service(tmp_path) as under_test:
            add_client(under_test.storage.engine, "court", SECRET, Role.AUDITOR)
            for state in ("accepted", "final"):
                await support_in(under_test, state)
            rows, after = [], 0
            while after is not None:
                page = (await under_test.client.get(f"/v1/audit?after={after}&limit=3", headers={"Authorization": f"Bearer {SECRET}"})).json()
                rows += page["data"]
                after = page["next_after"]
            previous = "0" * 64
            for number, row in enumerate(rows, 1):
                told = [row["seq"], row["at_ms"], row["actor"], row["action"], row["subject_id"], row["detail_text"], row["previous"]]
                assert (row["seq"], row["previous"]) == (number, previous)
                previous = hashlib.sha256(json.dumps(told).encode()).hexdigest()
                assert row["hash"] == previous
            assert [row["action"] for row in rows].count("support.final") == 1
            assert json.loads(rows[-1]["detail_text"]) == rows[-1]["detail"]

    anyio.run(run)
