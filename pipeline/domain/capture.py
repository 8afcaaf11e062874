"""What a phone sends: three photographs, a signature, and a few words about them."""

from __future__ import annotations

from dataclasses import dataclass
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

    A part that could not be had is `None` only on the command line: the door of the API refuses it.
    """

    front: bytes | None
    back: bytes | None
    selfie: bytes | None
    signature: bytes | None
    info: SupportInfo

    def part(self, part: Part) -> bytes | None:
        return {Part.FRONT: self.front, Part.BACK: self.back, Part.SELFIE: self.selfie, Part.SIGNATURE: self.signature}[part]
