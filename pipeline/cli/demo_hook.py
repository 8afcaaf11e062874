"""The demo's own webhook: a receiver on loopback, as an app's backend would have one, that verifies what it is told."""

from __future__ import annotations

import hmac
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx


@dataclass(slots=True)
class Hook:
    """What has arrived: supports by id, of messages whose signature holds; and how many did not hold."""

    secret: str = ""
    told: set[str] = field(default_factory=set)
    forged: int = 0
    changed: threading.Condition = field(default_factory=threading.Condition)

    def take(self, headers: Any, body: bytes) -> None:
        from api.webhooks.sender import sign

        expected = sign([self.secret], headers["webhook-id"], int(headers["webhook-timestamp"]), body)
        with self.changed:
            if hmac.compare_digest(expected, headers["webhook-signature"]):
                self.told.add(json.loads(body)["data"]["support"])
            else:
                self.forged += 1
            self.changed.notify_all()

    def wait_for(self, supports: set[str], seconds: float) -> bool:
        """Whether all have arrived within that time."""
        with self.changed:
            return self.changed.wait_for(lambda: supports <= self.told, seconds)


@contextmanager
def registered_hook(client: httpx.Client) -> Iterator[Hook]:
    """Listens on loopback while the block runs, registered with the service that `client` speaks to."""
    hook = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            hook.take(self.headers, self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """The demo's table is the only thing that is printed."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, name="hook", daemon=True).start()
        try:
            url = f"http://127.0.0.1:{server.server_port}/"
            made = client.post("/v1/webhooks", json={"url": url, "events": ["support.decided"]}).raise_for_status().json()
            hook.secret = made["secret"]
            yield hook
            client.delete(f"/v1/webhooks/{made['id']}").raise_for_status()
        finally:
            server.shutdown()
