"""An officer's decision: a record of its own beside the machine's verdict, and the last word this service knows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pipeline.domain.reasons import Ine
from pipeline.errors import BadInput


class Ruling(StrEnum):
    ACCEPTED = "accepted"
    REJECTED = "rejected"


class Ground(StrEnum):
    """Why. `confirmed` goes with `accepted`; the others are INE's entries (`INE_OF`) and go with `rejected`."""

    CONFIRMED = "confirmed"
    PHOTO = "photo_not_valid"
    COPY = "photocopy"
    SIGNATURE = "signature_not_valid"
    NO_SIGNATURE = "no_signature"
    CARD = "card_not_valid"
    SIMULATION = "simulation"
    NOT_IN_FORCE = "not_in_force"
    OTHER = "other"


INE_OF = {ground: Ine[ground.name] for ground in Ground if ground is not Ground.CONFIRMED}


@dataclass(frozen=True, slots=True)
class Decision:
    """Raises `BadInput` (`bad_decision`) where the ground does not go with the ruling."""

    ruling: Ruling
    ground: Ground

    def __post_init__(self) -> None:
        if (self.ruling is Ruling.ACCEPTED) is not (self.ground is Ground.CONFIRMED):
            raise BadInput(f"`{Ground.CONFIRMED}` goes with accepted, every other reason with rejected", code="bad_decision")
