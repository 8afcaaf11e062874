"""A key-management service on loopback that speaks `transit` as OpenBao and Vault document it: versions, a token, ways to fail."""

from __future__ import annotations

import base64
import hmac
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from pipeline.blobs.key_service import KeyService
from tests.receivers import serving

TOKEN = "a-token-of-tests-only"


@dataclass
class Transit:
    """keys: each version, the first is 1. oldest: below it nothing is opened. Status and body, where set, answer instead."""

    folder: Path
    url: str = ""
    keys: list[bytes] = field(default_factory=lambda: [os.urandom(32)])
    searches: list[bytes] = field(default_factory=lambda: [os.urandom(32)])
    oldest: int = 1
    status: int | None = None
    body: bytes | None = None
    asked: list[str] = field(default_factory=list)

    @property
    def token_file(self) -> Path:
        return self.folder / "token"

    def client(self) -> KeyService:
        return KeyService(self.url, "apoyo", self.token_file)

    def turn(self) -> None:
        self.keys.append(os.urandom(32))
        self.searches.append(os.urandom(32))

    def answer(self, path: str, token: str | None, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.asked.append(path)
        if token != TOKEN:
            return 403, {"errors": ["permission denied"]}
        match path.split("/")[3:]:
            case ["keys", "apoyo"]:
                return 200, {"data": {"name": "apoyo", "latest_version": len(self.keys)}}
            case ["encrypt", "apoyo"]:
                nonce = os.urandom(12)
                sealed = AESGCM(self.keys[-1]).encrypt(nonce, base64.b64decode(body["plaintext"]), None)
                return 200, {"data": {"ciphertext": f"vault:v{len(self.keys)}:{base64.b64encode(nonce + sealed).decode()}"}}
            case ["decrypt", "apoyo"]:
                return self._decrypt(body["ciphertext"])
            case ["hmac", "apoyo-search", algorithm]:
                version = body.get("key_version") or len(self.searches)
                made = hmac.digest(self.searches[version - 1], base64.b64decode(body["input"]), algorithm.replace("sha2-", "sha"))
                return 200, {"data": {"hmac": f"vault:v{version}:{base64.b64encode(made).decode()}"}}
        return 404, {"errors": []}

    def _decrypt(self, text: str) -> tuple[int, dict[str, Any]]:
        version = int(text.split(":")[1][1:])
        if version < self.oldest:
            return 400, {"errors": ["ciphertext or signature version is disallowed by policy (too old)"]}
        if version > len(self.keys):
            return 400, {"errors": ["invalid ciphertext: version is too new"]}
        data = base64.b64decode(text.split(":")[2])
        try:
            opened = AESGCM(self.keys[version - 1]).decrypt(data[:12], data[12:], None)
        except (InvalidTag, ValueError):
            return 400, {"errors": ["cipher: message authentication failed"]}
        return 200, {"data": {"plaintext": base64.b64encode(opened).decode()}}


@contextmanager
def transit(folder: Path) -> Iterator[Transit]:
    known = Transit(folder)
    known.token_file.write_text(TOKEN)
    known.token_file.chmod(0o600)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._reply({})

        def do_POST(self) -> None:
            self._reply(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def _reply(self, body: dict[str, Any]) -> None:
            status, answer = known.answer(self.path, self.headers.get("X-Vault-Token"), body)
            data = known.body if known.body is not None else json.dumps(answer).encode()
            self.send_response(known.status or status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    known.url = f"http://127.0.0.1:{server.server_address[1]}/v1/transit"
    with serving(server):
        yield known
