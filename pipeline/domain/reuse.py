"""Reuse: what of a support was seen in another one, and by what two supports' fingerprints are called alike."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum

from pipeline.domain.calibration import Calibration
from pipeline.domain.capture import Part
from pipeline.domain.evidence import Fingerprints


class Kind(StrEnum):
    """What two supports have in common."""

    IMAGE = "image"
    CARD = "card"
    FACE = "face"
    SIGNATURE = "signature"


@dataclass(frozen=True, slots=True, order=True)
class Neighbour:
    """Another support that has something in common with this one. For the desk alone."""

    support_id: str
    kind: Kind


class Seen(StrEnum):
    """INE's count tells a duplicate for the same applicant from one for others. Both: the same applicant is told."""

    NOWHERE = "nowhere"
    SAME_APPLICANT = "same_applicant"
    OTHER_APPLICANT = "other_applicant"


@dataclass(frozen=True, slots=True)
class Reuse:
    """Where each was seen; None: not looked up, or there was nothing to look up by.

    background, sender: of this sender's other supports in the process, how many of the newest lie on what looks the same, and
    how many there are; counted as far as the policy asks for it.
    data_differ: one of the card's pictures was seen with another card's numbers.  portrait_differs: the card's numbers were
    seen with another face.
    """

    image: Seen | None = None
    card: Seen | None = None
    face: Seen | None = None
    signature: Seen | None = None
    data_differ: bool = False
    portrait_differs: bool = False
    background: int | None = None
    sender: int | None = None


NOT_LOOKED_UP = Reuse()


@dataclass(frozen=True, slots=True)
class Limits:
    """Up to how many of the 512 bits two hashes of a part may differ, and from which cosine two portraits are of one person.

    portrait: from which they are one photograph.  other_face: below which they are not of one person.  background: up to which
    distance two cards lie on what looks the same.
    """

    bits: dict[Part, int]
    face: float
    portrait: float
    other_face: float
    background: float

    @staticmethod
    def of(calibration: Calibration) -> Limits:
        side = int(calibration["reuse.side_bits"])
        bits = {Part.FRONT: side, Part.BACK: side, Part.SELFIE: int(calibration["reuse.selfie_bits"]),
                Part.SIGNATURE: int(calibration["reuse.signature_bits"])}
        return Limits(bits, calibration["reuse.face"], calibration["reuse.portrait"], calibration["face.no_match"],
                      calibration["reuse.background"])


def kind_of(part: str) -> Kind:
    """What it means that this part was seen elsewhere."""
    return Kind.SIGNATURE if part == Part.SIGNATURE else Kind.IMAGE


def hash_distance(a: int, b: int) -> int:
    """In how many bits two hashes differ."""
    return (a ^ b).bit_count()


def cosine(a: Iterable[float], b: Iterable[float]) -> float:
    """Of two unit vectors."""
    return sum(x * y for x, y in zip(a, b, strict=True))


def in_common(a: Fingerprints, b: Fingerprints, limits: Limits) -> frozenset[Kind]:
    """The relation that every look-up must give: the index of a million and the check of two agree on it."""
    kinds = {kind_of(part) for part, digest in a.part_sha256.items() if digest in b.part_sha256.values()}
    kinds |= {kind_of(part) for part, bits in limits.bits.items()
              if part in a.perceptual and part in b.perceptual and hash_distance(a.perceptual[part], b.perceptual[part]) <= bits}
    if a.card_key is not None and a.card_key == b.card_key:
        kinds.add(Kind.CARD)
    if a.face is not None and b.face is not None:
        kinds |= kinds_of_face(cosine(a.face, b.face), limits)
    return frozenset(kinds)


def kinds_of_face(likeness: float, limits: Limits) -> frozenset[Kind]:
    """One photograph of a face is one picture of a card, wherever the card's edges were seen and whatever else it says now."""
    if likeness < limits.face:
        return frozenset()
    return frozenset({Kind.FACE} if likeness < limits.portrait else {Kind.FACE, Kind.IMAGE})


def there_is(prints: Fingerprints, kind: Kind) -> bool:
    """Whether there is anything of this kind to look up by."""
    if kind is Kind.CARD:
        return prints.card_key is not None
    if kind is Kind.FACE:
        return prints.face is not None
    return any(kind_of(part) is kind for part in (*prints.part_sha256, *prints.perceptual))


def seen_for(applicant: str | None, applicants: Collection[str | None]) -> Seen:
    """Of those in whose supports a thing was seen; a support that names no applicant is for the same as another that does not."""
    if applicant in applicants:
        return Seen.SAME_APPLICANT
    return Seen.OTHER_APPLICANT if applicants else Seen.NOWHERE


def reuse_among(prints: Fingerprints, applicant: str | None, others: Collection[tuple[Fingerprints, str | None]],
                limits: Limits) -> Reuse:
    """The look-up among supports that are all at hand, each with its applicant."""
    common = [(in_common(prints, other, limits), other, of) for other, of in others]

    def seen(kind: Kind) -> Seen | None:
        return seen_for(applicant, {of for kinds, _, of in common if kind in kinds}) if there_is(prints, kind) else None

    other_data = any(Kind.IMAGE in kinds and None not in (prints.card_key, other.card_key) and prints.card_key != other.card_key
                     for kinds, other, _ in common)
    other_face = any(Kind.CARD in kinds and differ(prints, other, limits) for kinds, other, _ in common)
    return Reuse(seen(Kind.IMAGE), seen(Kind.CARD), seen(Kind.FACE), seen(Kind.SIGNATURE), other_data, other_face)


def same_background(a: Fingerprints, b: Fingerprints, limits: Limits) -> bool:
    """Whether both cards lie on what looks the same. Apart from `in_common`: it is counted over one sender's supports alone."""
    return a.background is not None and b.background is not None and math.dist(a.background, b.background) <= limits.background


def differ(a: Fingerprints, b: Fingerprints, limits: Limits) -> bool:
    """Whether both show a face, and not of one person."""
    return a.face is not None and b.face is not None and cosine(a.face, b.face) < limits.other_face
