"""Sealing: one key a support, so that to destroy that key is to erase the support.

The support's key (256 bits, AES-GCM) is itself kept only wrapped (AES key wrap, RFC 3394) by a key-encryption key that a
`Keyring` holds. What is sealed is bound to its place: the associated data is `support id|part|version`, so that bytes moved
to another support, part or version do not open.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from pipeline.blobs.files import read_or_make_secret
from pipeline.errors import Corrupt, Misconfigured

MAGIC = b"AP1"
"""Names the format, so that a later one can stand beside it."""
KEY_BYTES, NONCE_BYTES, TAG_BYTES = 32, 12, 16
"""AES-256; nonce and tag as NIST SP 800-38D recommends for GCM."""
SEALED_BYTES = len(MAGIC) + NONCE_BYTES + TAG_BYTES
"""By how much a sealed value is longer than what it seals."""


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A support's key as it is kept. `kek_id` names the key that opens it, without telling anything about it."""

    kek_id: str
    wrapped: bytes = field(repr=False)


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
        if len(sealed) < start + TAG_BYTES or not sealed.startswith(MAGIC):
            raise Corrupt("not a sealed value", code="seal_broken")
        try:
            return self._cipher.decrypt(sealed[len(MAGIC):start], sealed[start:], self._place(part, version))
        except InvalidTag:
            raise Corrupt(f"the seal of {part} v{version} does not hold", code="seal_broken") from None

    def _place(self, part: str, version: int) -> bytes:
        return f"{self.support_id}|{part}|{version}".encode()

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("an open key does not leave its process")


class Keyring:
    """Holds the key-encryption key; makes, wraps and opens support keys."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise Misconfigured(f"a key-encryption key has {KEY_BYTES} bytes", code="bad_key_file")
        self._key = key
        self.kek_id = hashlib.sha256(b"apoyo kek id|" + key).hexdigest()[:16]
        self._search_key = hmac.digest(key, b"apoyo search key", hashlib.sha256)

    @staticmethod
    def open(path: Path) -> Keyring:
        """From a 0600 file of 64 hex digits, made at the first start. Raises `Misconfigured`."""
        text = read_or_make_secret(path, lambda: secrets.token_hex(KEY_BYTES))
        try:
            return Keyring(bytes.fromhex(text))
        except ValueError:
            raise Misconfigured(f"{path} must hold {2 * KEY_BYTES} hex digits", code="bad_key_file") from None

    def new_key(self, support_id: str) -> tuple[SupportKey, WrappedKey]:
        key = secrets.token_bytes(KEY_BYTES)
        return SupportKey(support_id, key), WrappedKey(self.kek_id, aes_key_wrap(self._key, key))

    def derived(self, purpose: str) -> bytes:
        """64 bytes for another use of this deployment's, the same in each of its processes; nothing leads back from them."""
        return hmac.digest(self._key, b"apoyo derived|" + purpose.encode(), hashlib.sha512)

    def search_digest(self, value: str) -> str:
        """The same for the same value, and nothing to try values against without the key: by it a value can be looked up."""
        return hmac.digest(self._search_key, value.encode(), hashlib.sha256).hex()

    def unwrap(self, support_id: str, wrapped: WrappedKey) -> SupportKey:
        """Raises `Corrupt` if the wrapped key was damaged, `Misconfigured` if it was wrapped by another key."""
        if wrapped.kek_id != self.kek_id:
            raise Misconfigured(f"wrapped by key {wrapped.kek_id}, this keyring holds {self.kek_id}", code="wrong_key_file")
        try:
            return SupportKey(support_id, aes_key_unwrap(self._key, wrapped.wrapped))
        except InvalidUnwrap:
            raise Corrupt("the wrapped key does not open", code="key_broken") from None
