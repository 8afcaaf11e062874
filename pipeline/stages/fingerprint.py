"""What reuse is looked up by: digests of the files, hashes of what they show, the card's own numbers, the face.

The hash of a picture is 512 signs of its cosine transform, from a band fine enough for what differs between two cards of one
model (portrait, letters, codes) to outweigh the print that they share, and coarse enough for a card that is located anew in a
cropped, turned or recompressed photograph to keep them. Light is divided out before. Thresholds: models/calibration/reuse.json.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.domain.capture import Capture, Part
from pipeline.domain.evidence import FieldReading, Fingerprints
from pipeline.networks.api import Array, Image

HASH_BITS, WORDS = 512, 8
WAVES = (16, 32)
"""Rows and columns of the transform that make the bits."""
FLAT = 8.0
"""Grey levels that are added to the local contrast: where there is less, there is only noise to enlarge."""
SAMPLES = 4
PLAIN = 1e-3
"""Below this strongest wave a picture has one colour, and no hash."""


@dataclass(frozen=True, slots=True)
class Grain:
    """At which fineness a kind of picture is hashed.

    size: width and height it is reduced to.  first: row and column where the band begins.  light: pixels over which light is
    taken to be even; 0: not divided out.
    """

    size: tuple[int, int]
    first: tuple[int, int]
    light: float


CARD = Grain((160, 100), (16, 16), 8.0)
"""Half waves of 1.8 to 5.3 mm across and 1.7 to 3.4 mm down: the size of letters and of a portrait's features."""
DRAWING = Grain((128, 64), (1, 2), 0.0)
INK_WIDTH = 5.0
"""Width of a drawing's frame in root mean square distances of its ink from its middle; the frame is half as high."""


def picture_hash(picture: Image, grain: Grain = CARD) -> int | None:
    """512 bits of (H, W) grey or (H, W, 3) BGR; None of a picture without detail."""
    small = cv2.resize(_sampled(picture, grain.size), grain.size, interpolation=cv2.INTER_AREA)
    grey = small if small.ndim == 2 else cv2.cvtColor(small[:, :, :3], cv2.COLOR_BGR2GRAY)
    detail: Array = np.asarray(grey, np.float32)
    if grain.light:
        detail = detail - cv2.GaussianBlur(detail, (0, 0), grain.light)
        detail = detail / (np.sqrt(cv2.GaussianBlur(detail * detail, (0, 0), grain.light)) + np.float32(FLAT))
    (row, column), (rows, columns) = grain.first, WAVES
    waves = np.asarray(cv2.dct(detail))[row : row + rows, column : column + columns].ravel()
    if float(np.abs(waves).max()) < PLAIN:
        return None
    # every eighth bit to one word of 64: a word is a sample of the whole band, and can be compared alone
    return _packed((waves > 0).reshape(-1, WORDS).T)


def _sampled(picture: Image, size: tuple[int, int]) -> Image:
    """A large picture at SAMPLES pixels for each that is wanted: averaging all takes ten times as long, for few other bits."""
    wanted = size[0] * SAMPLES, size[1] * SAMPLES
    if picture.shape[1] <= wanted[0] or picture.shape[0] <= wanted[1]:
        return picture
    return np.asarray(cv2.resize(picture, wanted, interpolation=cv2.INTER_LINEAR), np.uint8)


def drawing_hash(ink: Image) -> int | None:
    """Of a mask of ink (H, W), 255 where it is; the same wherever and however large the drawing was made. None without ink."""
    moments = cv2.moments(ink, binaryImage=True)
    area = moments["m00"]
    if not area:
        return None
    middle = np.array([moments["m10"], moments["m01"]]) / area
    spread = float(np.sqrt((moments["mu20"] + moments["mu02"]) / area))
    width, height = DRAWING.size
    scale = width / (INK_WIDTH * max(spread, 1.0))
    shift = np.array([width, height]) / 2 - scale * middle
    # a large drawing is blurred before it is reduced, or thin lines would fall between the pixels
    soft = cv2.GaussianBlur(ink, (0, 0), max(1.0 / scale, 0.5))
    framed = cv2.warpAffine(soft, np.array([[scale, 0, shift[0]], [0, scale, shift[1]]]), (width, height), flags=cv2.INTER_LINEAR)
    return picture_hash(np.asarray(framed, np.uint8), DRAWING)


@functools.cache
def _directions(size: int) -> Array:
    """(HASH_BITS, size) of +1 and -1, the same for ever: out of SHAKE-256."""
    stream = hashlib.shake_256(b"apoyo face hash").digest(HASH_BITS * size // 8)
    return np.unpackbits(np.frombuffer(stream, np.uint8)).reshape(HASH_BITS, size).astype(np.float32) * 2 - 1


def face_hash(embedding: Sequence[float] | Array) -> int:
    """512 bits of an embedding: on which side of so many fixed planes it lies. Vectors at an angle of a differ in a / pi of them.

    Of one photograph, changed or not, landmarks move by a pixel, which the embedding forgives and a picture's waves do not.
    """
    vector = np.asarray(embedding, np.float32)
    return _packed(_directions(len(vector)) @ vector > 0)


def _packed(bits: Array) -> int:
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


@dataclass(frozen=True, slots=True)
class Seen:
    """What is hashed as a picture: the two upright card sides, and the signature's ink as a mask."""

    front: Image | None = None
    back: Image | None = None
    ink: Image | None = None


def fingerprints(capture: Capture, seen: Seen, selfie: Sequence[float] | Array | None, face: Sequence[float] | Array | None,
                 readings: Mapping[str, tuple[FieldReading, ...]], background: tuple[float, ...] | None = None) -> Fingerprints:
    """Of the encoded parts, of what is seen on them where it is there, and of the card.

    selfie, face: the embeddings of the selfie and of the portrait (the selfie's where there is none), from the recogniser.
    """
    hashes = {
        Part.FRONT: None if seen.front is None else picture_hash(seen.front),
        Part.BACK: None if seen.back is None else picture_hash(seen.back),
        Part.SELFIE: None if selfie is None else face_hash(selfie),
        Part.SIGNATURE: None if seen.ink is None else drawing_hash(seen.ink),
    }
    perceptual = {part.value: value for part, value in hashes.items() if value is not None}
    embedding = None if face is None else tuple(float(value) for value in face)
    digests = {part.value: digest for part, digest in capture.digests().items()}
    return Fingerprints(digests, perceptual, embedding, card_key(readings), background)


def card_key(readings: Mapping[str, tuple[FieldReading, ...]]) -> str | None:
    """CIC and identificador, each by its surest reading, as one digest; None unless both were read."""
    numbers = [max(readings.get(name, ()), key=lambda reading: reading.confidence, default=None)
               for name in ("cic", "citizen_id")]
    if any(number is None for number in numbers):
        return None
    return hashlib.sha256("/".join(number.value for number in numbers if number is not None).encode()).hexdigest()
