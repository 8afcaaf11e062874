"""Key-encryption keys: where they come from, and how several stand side by side while one takes the place of another.

A file (mode 0600), or a variable of the environment, holds a key a line, 64 hex digits each: the first wraps, all unwrap. After
the first rotation two more lines carry what must not change with it: `search HEX` (by which cards and accounts are looked up)
and `derive HEX` (from which tokens' keys are made); until then both follow from the one key.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from pipeline.blobs.files import read_or_make_secret
from pipeline.errors import Corrupt, Misconfigured

KEY_BYTES = 32
"""AES-256."""
SEARCH, DERIVE = "search", "derive"


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A support's key as it is kept. `kek_id` names the key that opens it, without telling anything about it."""

    kek_id: str
    wrapped: bytes = field(repr=False)


class KeyProvider(Protocol):
    """What a keyring needs of whoever keeps the key-encryption keys: a file, the environment, or a key-management service that
    never gives them out. Thread-safe. Calls may raise `Unavailable`."""

    @property
    def current(self) -> str:
        """Which key wraps now, by its id (32 characters at most)."""
        ...

    def wrap(self, key: bytes) -> WrappedKey: ...

    def unwrap(self, wrapped: WrappedKey) -> bytes:
        """Raises `Corrupt` (`key_broken`), `Misconfigured` (`wrong_key_file`: its key is not here)."""
        ...

    def search(self, value: bytes) -> bytes:
        """HMAC-SHA256 under a key that no rotation changes."""
        ...

    def derived(self, purpose: bytes) -> bytes:
        """64 bytes, by HMAC-SHA512, that no rotation but the first changes."""
        ...


def kek_id(key: bytes) -> str:
    return hashlib.sha256(b"apoyo kek id|" + key).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class KeySet:
    """The keys of one text, by id, the current first; and the two secrets beside them."""

    keys: dict[str, bytes] = field(repr=False)
    search: bytes = field(repr=False)
    derive: bytes | None = field(repr=False)

    @staticmethod
    def parse(text: str, where: str) -> KeySet:
        """Raises `Misconfigured` (`bad_key_file`) that names the place and never what stands there."""
        keys: list[bytes] = []
        beside: dict[str, bytes] = {}
        try:
            for line in filter(None, map(str.strip, text.splitlines())):
                name, _, value = line.rpartition(" ")
                data = bytes.fromhex(value)
                if len(data) != KEY_BYTES or name not in ("", SEARCH, DERIVE):
                    raise ValueError
                if name:
                    beside[name] = data
                else:
                    keys.append(data)
        except ValueError:
            keys = []
        if not keys or (len(keys) > 1 and set(beside) != {SEARCH, DERIVE}):
            raise Misconfigured(f"{where} must hold {2 * KEY_BYTES} hex digits a line: docs/operations.md", code="bad_key_file")
        search = beside.get(SEARCH) or hmac.digest(keys[0], b"apoyo search key", hashlib.sha256)
        return KeySet({kek_id(key): key for key in keys}, search, beside.get(DERIVE))

    @property
    def current(self) -> str:
        return next(iter(self.keys))

    def with_new(self) -> KeySet:
        """With one more key, which is the current from then on."""
        key = secrets.token_bytes(KEY_BYTES)
        return KeySet({kek_id(key): key, **self.keys}, self.search, self.derive or secrets.token_bytes(KEY_BYTES))

    def without(self, one: str) -> KeySet:
        return KeySet({name: key for name, key in self.keys.items() if name != one}, self.search, self.derive)

    def text(self) -> str:
        beside = [] if self.derive is None else [f"{SEARCH} {self.search.hex()}", f"{DERIVE} {self.derive.hex()}"]
        return "\n".join([*(key.hex() for key in self.keys.values()), *beside])


class LocalKeys:
    """A `KeyProvider` of keys in this process's memory.

    read: the text, asked again when `stamp` says that it is another: a key that was added is seen without a restart.
    """

    def __init__(self, read: Callable[[], str], where: str, stamp: Callable[[], object] = lambda: None) -> None:
        self._read, self._where, self._stamp = read, where, stamp
        self._seen = stamp()
        self._set = KeySet.parse(read(), where)

    @staticmethod
    def in_file(path: Path) -> LocalKeys:
        """Made at the first start. Raises `Misconfigured`."""
        def read() -> str:
            return read_or_make_secret(path, lambda: secrets.token_hex(KEY_BYTES))

        def stamp() -> object:
            found = path.stat() if path.exists() else None
            return None if found is None else (found.st_ino, found.st_mtime_ns, found.st_size)

        read()
        return LocalKeys(read, str(path), stamp)

    @staticmethod
    def of(key: bytes) -> LocalKeys:
        """One key, for tests and measurements."""
        return LocalKeys(lambda: key.hex(), "the key")

    @property
    def current(self) -> str:
        return self._fresh().current

    def wrap(self, key: bytes) -> WrappedKey:
        keys = self._fresh()
        return WrappedKey(keys.current, aes_key_wrap(keys.keys[keys.current], key))

    def unwrap(self, wrapped: WrappedKey) -> bytes:
        key = self._set.keys.get(wrapped.kek_id) or self._fresh().keys.get(wrapped.kek_id)
        if key is None:
            raise Misconfigured(f"wrapped by key {wrapped.kek_id}, which {self._where} does not hold", code="wrong_key_file")
        try:
            return aes_key_unwrap(key, wrapped.wrapped)
        except InvalidUnwrap:
            raise Corrupt("the wrapped key does not open", code="key_broken") from None

    def search(self, value: bytes) -> bytes:
        return hmac.digest(self._set.search, value, hashlib.sha256)

    def derived(self, purpose: bytes) -> bytes:
        keys = self._set
        root = keys.derive or keys.keys[keys.current]
        return hmac.digest(root, b"apoyo derived|" + purpose, hashlib.sha512)

    def _fresh(self) -> KeySet:
        stamp = self._stamp()
        if stamp != self._seen:
            self._set, self._seen = KeySet.parse(self._read(), self._where), stamp
        return self._set
