"""What reuse is looked up by: digests of the files, perceptual hashes of what they show, the card's own numbers, the face."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from pipeline.domain.capture import Capture, Part
from pipeline.domain.evidence import FieldReading, Fingerprints
from pipeline.networks.api import Array, Image

HASH_SIDE, HASH_BITS = 32, 8
"""The usual DCT hash: 32 x 32 pixels, the 8 x 8 lowest frequencies above the constant one."""
SAMPLED = 8 * HASH_SIDE
"""Rows and columns that are looked at: the hash keeps waves of a quarter of the picture, not single pixels."""


def perceptual_hash(picture: Image) -> int:
    """64 bits of a rectified card, a selfie or a drawing; (H, W) grey or (H, W, 3) BGR.

    Each bit says whether one of the 64 lowest frequencies lies above their median; pictures alike differ in few bits. A
    picture of one colour has no frequencies: 0.
    """
    sampled = cv2.resize(picture, (SAMPLED, SAMPLED), interpolation=cv2.INTER_NEAREST)
    small = cv2.resize(sampled, (HASH_SIDE, HASH_SIDE), interpolation=cv2.INTER_AREA)
    grey = small if small.ndim == 2 else cv2.cvtColor(small[:, :, :3], cv2.COLOR_BGR2GRAY)
    waves = np.asarray(cv2.dct(grey.astype(np.float32)))[1 : HASH_BITS + 1, 1 : HASH_BITS + 1].ravel()
    if float(np.abs(waves).max()) < 1.0:
        return 0
    return int.from_bytes(np.packbits(waves > np.median(waves)).tobytes(), "big")


def hash_distance(a: int, b: int) -> int:
    """In how many of the 64 bits two perceptual hashes differ."""
    return (a ^ b).bit_count()


def fingerprints(capture: Capture, front: Image | None, back: Image | None, selfie: Image | None, signature: Image | None,
                 face: Sequence[float] | Array | None, readings: Mapping[str, tuple[FieldReading, ...]]) -> Fingerprints:
    """Of the encoded parts, of the two rectified sides, the selfie and the drawing where they are there, and of the card.

    `face`: the selfie's or the portrait's embedding, as it came from the recogniser.
    """
    digests = {part.value: hashlib.sha256(data).hexdigest() for part in Part if (data := capture.part(part)) is not None}
    pictures = {Part.FRONT: front, Part.BACK: back, Part.SELFIE: selfie, Part.SIGNATURE: signature}
    perceptual = {part.value: perceptual_hash(picture) for part, picture in pictures.items() if picture is not None}
    embedding = None if face is None else tuple(float(value) for value in face)
    return Fingerprints(digests, perceptual, embedding, card_key(readings))


def card_key(readings: Mapping[str, tuple[FieldReading, ...]]) -> str | None:
    """SHA-256 of CIC and identificador, each by its surest reading; None unless both were read."""
    numbers = [max(readings.get(name, ()), key=lambda reading: reading.confidence, default=None)
               for name in ("cic", "citizen_id")]
    if any(number is None for number in numbers):
        return None
    return hashlib.sha256("/".join(number.value for number in numbers if number is not None).encode()).hexdigest()
