"""The intake as a process of its own in a bounded address space: hostile pictures, floods of parts, of headers, and of no HTTP."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator

import pytest

from benchmarks.security.door import knock
from benchmarks.security.served import Served, served

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("hostile")) as one:
        yield one


def test_everything_gets_a_clear_answer_and_the_server_goes_on(server: Served) -> None:
    rows = list(knock(server))
    assert [row for row in rows if not row.good] == []
    assert len(rows) > 80


def test_a_head_that_is_too_long_is_a_problem_where_it_can_still_be_told(server: Served) -> None:
    """Sent no further than the limit, so that the answer is read."""
    answer = server.raw(b"GET /livez HTTP/1.1\r\nHost: t\r\nX: " + b"y" * 65_536)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 431 ")
    assert b"content-type: application/problem+json" in head.lower()
    assert json.loads(body)["code"] == "head_too_large"


def test_a_head_below_the_limit_and_a_body_above_it_are_taken(server: Served) -> None:
    assert server.client.get("/livez", headers={"X": "y" * 60_000}).status_code == 200
    assert server.client.post("/v1/webhooks", json={"url": "https://" + "h" * 60_000}).status_code == 422


def test_who_sends_a_head_byte_by_byte_is_not_waited_for(server: Served) -> None:
    begun = time.monotonic()
    with socket.create_connection((server.host, server.port), 60) as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: t\r\n")
        assert connection.recv(4_096).startswith(b"HTTP/1.1 408 ")
        assert connection.recv(4_096) == b""
    assert time.monotonic() - begun < 60
    assert server.client.get("/livez").status_code == 200

