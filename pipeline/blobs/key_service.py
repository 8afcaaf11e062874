"""Key-encryption keys that never leave a key-management service: the `transit` interface of OpenBao and HashiCorp Vault.

The service wraps and unwraps supports' keys; what looks digests up and what tokens' keys are made of comes, once a start, from a
second key of it, pinned to its first version, so that no rotation changes it. Whatever is not a clear answer is `Unavailable`:
the support waits, and nothing is stored or opened without the service.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import ssl
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from pipeline.blobs.files import read_secret
from pipeline.blobs.keks import KEY_BYTES, WrappedKey
from pipeline.errors import Corrupt, Misconfigured, Unavailable

SECONDS = 5.0
"""Of one call: a citizen's upload waits for it."""
MAX_BYTES = 64 << 10
"""Of an answer: a wrapped key has about a hundred."""
FIRST = 1
"""The version of the second key that is asked for, always."""
ROOTS = {"sha2-256": b"apoyo search key", "sha2-512": b"apoyo derive key"}
_CIPHERTEXT = re.compile(r"vault:v([1-9][0-9]{0,8}):[A-Za-z0-9+/=]+\Z")
_KEK_ID = re.compile(r"service-v([1-9][0-9]{0,8})\Z")


class KeyService:
    """A `KeyProvider` by HTTP. Thread-safe."""

    def __init__(self, url: str, name: str, token_file: Path | None, ca_file: Path | None = None) -> None:
        """url: of the engine's mount, as https://bao.example:8200/v1/transit.  name: of the key that wraps; `NAME-search` is the
        second. token_file: read before each call, so that whoever renews it needs no restart.

        Raises `Misconfigured` (`bad_key_service`), `Unavailable` (`key_service_…`) where it does not answer now.
        """
        if not _is_private(url):
            raise Misconfigured("the key service's URL must be https://, or http:// on loopback", code="bad_key_service")
        try:
            tls = ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
        except OSError as error:
            what = f"the key service's CA file cannot be read: {type(error).__name__}"
            raise Misconfigured(what, code="bad_key_service") from None
        self._url, self._name, self._token_file = url.rstrip("/"), name, token_file
        self._client = httpx.Client(verify=tls, timeout=SECONDS, follow_redirects=False, trust_env=False)
        self._search, self._derive = (self._root(algorithm, what) for algorithm, what in ROOTS.items())

    @property
    def current(self) -> str:
        return f"service-v{int(self._ask('GET', f'keys/{self._name}', 'latest_version'))}"

    def wrap(self, key: bytes) -> WrappedKey:
        text = str(self._ask("POST", f"encrypt/{self._name}", "ciphertext", {"plaintext": _base64(key)}))
        found = _CIPHERTEXT.match(text)
        if found is None:
            raise _unusable("no ciphertext")
        return WrappedKey(f"service-v{found[1]}", text.encode())

    def unwrap(self, wrapped: WrappedKey) -> bytes:
        """Raises `Corrupt` (`key_broken`), `Misconfigured` (`wrong_key_file`: no key of the service's, or a version that it
        no longer opens), `Unavailable`."""
        known = _KEK_ID.match(wrapped.kek_id)
        if known is None:
            raise Misconfigured(f"wrapped by key {wrapped.kek_id}, which is none of the key service's", code="wrong_key_file")
        text = wrapped.wrapped.decode("ascii", "replace")
        found = _CIPHERTEXT.match(text)
        if found is None or found[1] != known[1]:
            raise Corrupt("the wrapped key does not open", code="key_broken")
        key = _bytes(self._ask("POST", f"decrypt/{self._name}", "plaintext", {"ciphertext": text}))
        if len(key) != KEY_BYTES:
            raise Corrupt("the wrapped key is none", code="key_broken")
        return key

    def search(self, value: bytes) -> bytes:
        return hmac.digest(self._search, value, hashlib.sha256)

    def derived(self, purpose: bytes) -> bytes:
        return hmac.digest(self._derive, purpose, hashlib.sha512)

    def _root(self, algorithm: str, what: bytes) -> bytes:
        asked = {"input": _base64(what), "key_version": FIRST}
        text = str(self._ask("POST", f"hmac/{self._name}-search/{algorithm}", "hmac", asked))
        if not text.startswith(f"vault:v{FIRST}:"):
            raise _unusable("an HMAC of another version")
        root = _bytes(text.rpartition(":")[2])
        if len(root) < KEY_BYTES:
            raise _unusable("an HMAC that is too short")
        return root

    def _ask(self, method: str, path: str, member: str, body: Mapping[str, Any] | None = None) -> Any:
        """One member of the answer's `data`. Raises `Corrupt`, `Misconfigured` of what was to be opened; else `Unavailable`."""
        token = read_secret(self._token_file, "the key service's token file")
        try:
            with self._client.stream(method, f"{self._url}/{path}", json=body, headers={"X-Vault-Token": token}) as answer:
                data = bytearray()
                for chunk in answer.iter_bytes():
                    data += chunk
                    if len(data) > MAX_BYTES:
                        raise _unusable("too much")
        except (httpx.HTTPError, ssl.SSLError) as error:
            raise Unavailable(f"no answer: {type(error).__name__}", code="key_service_unavailable") from None
        if answer.status_code == 400 and path.startswith("decrypt/"):
            raise _not_opened(bytes(data))
        if answer.status_code in (401, 403, 404):
            raise Unavailable(f"status {answer.status_code}: look at the token, its policy and the key's name",
                              code="key_service_refused")
        if answer.status_code != 200:
            raise Unavailable(f"status {answer.status_code}", code="key_service_unavailable")
        try:
            return json.loads(data)["data"][member]
        except (ValueError, KeyError, TypeError):
            raise _unusable("another shape") from None


def _not_opened(answer: bytes) -> Corrupt | Misconfigured:
    if b"disallowed by policy" in answer:  # below the key's `min_decryption_version`
        return Misconfigured("wrapped by a version of the key that the service no longer opens", code="wrong_key_file")
    return Corrupt("the wrapped key does not open", code="key_broken")


def _is_private(url: str) -> bool:
    """TLS; or loopback, where an agent beside the process may end it."""
    try:
        parts = urlsplit(url)
        loopback = parts.hostname == "localhost" or ip_address(parts.hostname or "").is_loopback
    except ValueError:
        loopback = False
    return (parts.scheme == "https" and bool(parts.hostname)) or (parts.scheme == "http" and loopback)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(text: Any) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (ValueError, TypeError):
        raise _unusable("no base64") from None


def _unusable(what: str) -> Unavailable:
    return Unavailable(f"the answer is unusable: {what}", code="key_service_unavailable")
