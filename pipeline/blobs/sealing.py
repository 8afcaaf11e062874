"""Sealing: one key a support, so that to destroy that key is to erase the support.

The support's key (256 bits, AES-GCM) is itself kept only wrapped (AES key wrap, RFC 3394) by a key-encryption key that a
`Keyring` holds. What is sealed is bound to its place: the associated data is `support id|part|version`, so that bytes moved
to another support, part or version do not open. What a client sealed before there was an id (docs/api.md) is bound by the key
alone to its support, and by `part|version` to its place there.
"""

from __future__ import annotations

import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from pipeline.blobs.keks import KEY_BYTES, KeyProvider, LocalKeys, WrappedKey
from pipeline.errors import Corrupt

__all__ = ["KEY_BYTES", "Keyring", "SupportKey", "WrappedKey"]

MAGIC = b"AP1"
"""Names the format, so that a later one can stand beside it."""
MAGIC_OF_CLIENTS = b"AP2"
"""Of what a client sealed by a key of its own making."""
NONCE_BYTES, TAG_BYTES = 12, 16
"""As NIST SP 800-38D recommends for GCM."""
SEALED_BYTES = len(MAGIC) + NONCE_BYTES + TAG_BYTES
"""By how much a sealed value is longer than what it seals."""


class SupportKey:
    """The open key of one support. Lives as short as can be; never stored, logged or pickled."""

    def __init__(self, support_id: str, key: bytes) -> None:
        self.support_id = support_id
        self._cipher = AESGCM(key)

    def seal(self, part: str, version: int, data: bytes) -> bytes:
        """Random nonce a call: a key seals a handful of values, far below where random nonces could meet."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return MAGIC + nonce + self._cipher.encrypt(nonce, data, self._place(part, version))

    def open(self, part: str, version: int, sealed: bytes) -> bytes:
        """Raises `Corrupt` for anything but the bytes that were sealed for this very place."""
        start = len(MAGIC) + NONCE_BYTES
        place = {MAGIC: self._place(part, version), MAGIC_OF_CLIENTS: f"{part}|{version}".encode()}.get(sealed[:len(MAGIC)])
        if place is None or len(sealed) < start + TAG_BYTES:
            raise Corrupt("not a sealed value", code="seal_broken")
        try:
            return self._cipher.decrypt(sealed[len(MAGIC):start], sealed[start:], place)
        except InvalidTag:
            raise Corrupt(f"the seal of {part} v{version} does not hold", code="seal_broken") from None

    def _place(self, part: str, version: int) -> bytes:
        return f"{self.support_id}|{part}|{version}".encode()

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("an open key does not leave its process")


class Keyring:
    """Makes, wraps and opens support keys, by key-encryption keys that a provider holds."""

    def __init__(self, keys: bytes | KeyProvider) -> None:
        """keys: bytes of one key, for tests and measurements; else whoever holds them."""
        self._provider: KeyProvider = LocalKeys.of(keys) if isinstance(keys, bytes) else keys

    @staticmethod
    def open(path: Path) -> Keyring:
        """From a 0600 file, made at the first start (`pipeline.blobs.keks`). Raises `Misconfigured`."""
        return Keyring(LocalKeys.in_file(path))

    @property
    def kek_id(self) -> str:
        """Of the key that wraps now."""
        return self._provider.current

    def new_key(self, support_id: str) -> tuple[SupportKey, WrappedKey]:
        key = secrets.token_bytes(KEY_BYTES)
        return SupportKey(support_id, key), self._provider.wrap(key)

    def adopt(self, key: bytes) -> WrappedKey:
        """A support's key that a client made: `KEY_BYTES` of it."""
        return self._provider.wrap(key)

    def derived(self, purpose: str) -> bytes:
        """64 bytes for another use of this deployment's, the same in each of its processes; nothing leads back from them."""
        return self._provider.derived(purpose.encode())

    def search_digest(self, value: str) -> str:
        """The same for the same value, and nothing to try values against without the key: by it a value can be looked up."""
        return self._provider.search(value.encode()).hex()

    def unwrap(self, support_id: str, wrapped: WrappedKey) -> SupportKey:
        """Raises `Corrupt` if the wrapped key was damaged, `Misconfigured` if the key that wrapped it is not here."""
        return SupportKey(support_id, self._provider.unwrap(wrapped))

    def rewrap(self, wrapped: WrappedKey) -> WrappedKey:
        """The same key, wrapped by the key-encryption key of now: what it seals is not touched. Raises as `unwrap`."""
        return self._provider.wrap(self._provider.unwrap(wrapped))
