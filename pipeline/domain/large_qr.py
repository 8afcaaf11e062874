"""The large QRs of models G and H hold INE's own bytes, which it alone can open. This is the seam for its decoder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class LargeQrDecoder(Protocol):
    """What an authority hands over to open its codes with. Called at most once a support, in the worker's process."""

    def open(self, left: bytes, right: bytes) -> Mapping[str, str] | None:
        """Values by their names in `FIELD_NAMES`, as the card prints them (dates in ISO 8601); None where the two stay closed.

        left, right: the payloads as they were decoded, header and all.
        """
        ...


class Closed:
    """An installation without a decoder: the codes stay closed, and every result says so (`decrypted` is false)."""

    def open(self, left: bytes, right: bytes) -> Mapping[str, str] | None:  # noqa: ARG002 (the protocol's)
        return None
