"""What a phone sends: three photographs, a signature, and a few words about them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from pipeline.domain.support import SupportInfo


class Part(StrEnum):
    """The four pieces of a support, by the names the API gives them."""

    FRONT = "front"
    BACK = "back"
    SELFIE = "selfie"
    SIGNATURE = "signature"


@dataclass(frozen=True, slots=True)
class Capture:
    """The encoded bytes of the four parts, as they came, and the support's own words.

    A part that could not be had is `None`: on the command line, and where it came past the API, whose door would have refused it.
    sha256: of the parts, where
    whoever gives them has computed it already; to hash some 10 MB again takes milliseconds.
    """

    front: bytes | None
    back: bytes | None
    selfie: bytes | None
    signature: bytes | None
    info: SupportInfo
    sha256: Mapping[Part, str] = field(default_factory=dict)

    def part(self, part: Part) -> bytes | None:
        return {Part.FRONT: self.front, Part.BACK: self.back, Part.SELFIE: self.selfie, Part.SIGNATURE: self.signature}[part]

    def digests(self) -> dict[Part, str]:
        """SHA-256 of each part that is there, in hex."""
        return {part: self.sha256.get(part) or hashlib.sha256(data).hexdigest()
                for part in Part if (data := self.part(part)) is not None}
