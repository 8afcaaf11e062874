"""Receipts of erasures: what was erased, when, and the digest of the key that was destroyed, signed so that others can check it.

A receipt is JSON: `receipt` (ids, moments, codes and digests only), `key` (the public half, Ed25519) and `signature` over the
canonical JSON of `receipt` after the words of `CONTEXT`.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from pipeline.blobs.files import read_or_make_secret
from pipeline.errors import BadInput, Misconfigured

CONTEXT = b"apoyo erasure receipt 1\n"
SEED_BYTES = 32


class Cause(StrEnum):
    """Why a support was erased."""

    WITHDRAWN = "withdrawn"
    """By the citizen, from the phone that sent it."""
    ASKED = "asked"
    """By the operator, whom somebody asked."""
    RETENTION = "retention"
    """Its time was over."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """`wrapped_key_sha256`: of what was destroyed; empty where there was no key left. `parts`: pictures and words."""

    id: str
    support: str
    erased_at: str
    cause: Cause
    kek_id: str
    wrapped_key_sha256: str
    parts: int


class ReceiptKey:
    """Signs. The file is made when it is first needed, so that a process that erases nothing has none."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def sign(self, receipt: Receipt) -> str:
        """The signed receipt as JSON. Raises `Misconfigured`."""
        key = self._open()
        signature = key.sign(_signed_bytes(asdict(receipt)))
        public = key.public_key().public_bytes_raw().hex()
        return json.dumps({"receipt": asdict(receipt), "key": public, "signature": signature.hex()}, sort_keys=True)

    def public(self) -> str:
        """64 hex digits, to be given to whoever checks. Raises `Misconfigured`."""
        return self._open().public_key().public_bytes_raw().hex()

    def _open(self) -> Ed25519PrivateKey:
        text = read_or_make_secret(self._path, lambda: secrets.token_hex(SEED_BYTES))
        try:
            return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(text))
        except ValueError:
            raise Misconfigured(f"{self._path} must hold {2 * SEED_BYTES} hex digits", code="bad_key_file") from None


def read_receipt(text: str | bytes, public: str | None = None) -> Receipt:
    """The receipt, if its signature holds. public: by which key it must be signed; None: by the one that it names, which proves
    only that it is whole. Raises `BadInput` (`receipt_malformed`, `receipt_other_key`, `receipt_broken`)."""
    try:
        data = json.loads(text)
        told = data["receipt"]
        receipt = Receipt(**{**told, "cause": Cause(told["cause"])})
        key, signature = Ed25519PublicKey.from_public_bytes(bytes.fromhex(data["key"])), bytes.fromhex(data["signature"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise BadInput("not a receipt of an erasure", code="receipt_malformed") from None
    if public is not None and data["key"] != public:
        raise BadInput("signed by another key than the one that is to be trusted", code="receipt_other_key")
    try:
        key.verify(signature, _signed_bytes(told))
    except InvalidSignature:
        raise BadInput("the signature does not hold: it was changed", code="receipt_broken") from None
    return receipt


def _signed_bytes(receipt: dict[str, Any]) -> bytes:
    return CONTEXT + json.dumps(receipt, sort_keys=True, separators=(",", ":")).encode()
