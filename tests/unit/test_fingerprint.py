"""Hashes: alike for the same picture taken again, far apart for others; nothing is made up where nothing was read."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.domain.capture import Capture
from pipeline.domain.evidence import FieldReading
from pipeline.domain.reuse import hash_distance
from pipeline.domain.support import SupportInfo
from pipeline.stages.fingerprint import Seen, card_key, drawing_hash, face_hash, fingerprints, picture_hash
from tests.unit.drawn_backs import back_e, back_g


def rectified(seed: int, size: tuple[int, int] = (856, 540)) -> np.ndarray:
    """As a card's side is: print of many sizes, the same light."""
    rng = np.random.default_rng(seed)
    layers = (cv2.resize(rng.uniform(0, 255, (rows, 2 * rows)).astype(np.float32), size, interpolation=cv2.INTER_CUBIC)
              for rows in (6, 20, 60))
    return np.clip(sum(layers) / 3, 0, 255).astype(np.uint8)


def turned(image: np.ndarray, pixels: float) -> np.ndarray:
    """As a corner found that far away would show it."""
    height, width = image.shape[:2]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    moved = corners + np.array([[pixels, 0], [0, pixels], [-pixels, 0], [0, -pixels]], np.float32)
    return cv2.warpPerspective(image, cv2.getPerspectiveTransform(corners, moved), (width, height), borderMode=cv2.BORDER_REPLICATE)


SIDE_BITS = 51


@pytest.mark.parametrize("change", [
    lambda image: cv2.GaussianBlur(image, (0, 0), 1.5),
    lambda image: np.clip(image.astype(int) * 0.8 + 20, 0, 255).astype(np.uint8),
    lambda image: cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
    lambda image: cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 40])[1], cv2.IMREAD_GRAYSCALE),
    lambda image: cv2.cvtColor(image, cv2.COLOR_GRAY2BGR),
    lambda image: turned(image, 1.0),
], ids=["blurred", "darker", "smaller", "compressed", "in colour", "located a little off"])
def test_the_same_side_again_stays_near(change: Callable[[np.ndarray], np.ndarray]) -> None:
    for seed in range(10):
        assert hash_distance(hashed(rectified(seed)), hashed(change(rectified(seed)))) <= SIDE_BITS


def hashed(image: np.ndarray) -> int:
    value = picture_hash(image)
    assert value is not None
    return value


def test_other_sides_are_far() -> None:
    hashes = [hashed(rectified(seed)) for seed in range(40)]
    distances = [hash_distance(a, b) for index, a in enumerate(hashes) for b in hashes[:index]]
    assert min(distances) >= 4 * SIDE_BITS and 240 <= np.mean(distances) <= 272
    assert hash_distance(hashed(back_e()), hashed(back_g())) > 2 * SIDE_BITS


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 255), st.integers(1, 300), st.integers(1, 300))
def test_a_plain_picture_has_no_hash(level: int, height: int, width: int) -> None:
    assert picture_hash(np.full((height, width), level, np.uint8)) is None
    assert drawing_hash(np.zeros((height, width), np.uint8)) is None


def drawing(seed: int) -> np.ndarray:
    """A run of loops on a canvas of 600 x 300."""
    t = np.linspace(0, 1, 400)
    rng = np.random.default_rng(seed)
    x = 100 + 400 * t + 30 * np.cos(2 * np.pi * rng.uniform(3, 9) * t)
    y = 150 + 80 * np.sin(2 * np.pi * rng.uniform(2, 9) * t + rng.uniform(0, 6)) * rng.uniform(0.3, 1, 4).repeat(100)
    canvas = np.zeros((300, 600), np.uint8)
    cv2.polylines(canvas, [np.stack([x, y], axis=1).astype(np.int32)], False, 255, 3)
    return canvas


@pytest.mark.parametrize(("scale", "right", "down"), [(1.0, 60, -40), (0.5, 0, 0), (0.7, 120, 60), (1.0, 0, 0)])
def test_a_drawing_is_the_same_wherever_and_however_large(scale: float, right: int, down: int) -> None:
    for seed in range(10):
        moved = cv2.warpAffine(drawing(seed), np.array([[scale, 0, right], [0, scale, down + 40.0]]), (700, 400))
        a, b = drawing_hash(drawing(seed)), drawing_hash(np.where(moved > 100, 255, 0).astype(np.uint8))
        assert a is not None and b is not None and hash_distance(a, b) <= 102
        assert all(hash_distance(a, drawing_hash(drawing(other)) or 0) > 102 for other in range(20, 30))


@given(st.floats(0, np.pi), st.integers(0, 1000))
@settings(deadline=None)
def test_faces_differ_in_as_many_bits_as_their_angle_says(angle: float, seed: int) -> None:
    """Within four standard deviations of 512 draws; the angle between the vectors is the only thing that counts."""
    a, b = np.linalg.qr(np.random.default_rng(seed).normal(size=(128, 2)))[0].T
    turned_by = np.cos(angle) * a + np.sin(angle) * b
    share = angle / np.pi
    assert abs(hash_distance(face_hash(a), face_hash(turned_by)) - 512 * share) <= 4 * np.sqrt(512 * share * (1 - share)) + 1


def test_the_planes_of_a_face_hash_are_for_ever() -> None:
    assert f"{face_hash(np.eye(128)[5]):0128x}"[:16] == "84a325315f4ba66c"


@pytest.mark.parametrize(("readings", "key"), [
    ({}, None),
    ({"cic": (FieldReading("123456789", 1.0, "mrz"),)}, None),
    ({"cic": (), "citizen_id": (FieldReading("987654321", 1.0, "mrz"),)}, None),
    ({"cic": (FieldReading("123456780", 0.4, "front"), FieldReading("123456789", 1.0, "mrz")),
      "citizen_id": (FieldReading("987654321", 1.0, "small_qr"),)}, hashlib.sha256(b"123456789/987654321").hexdigest()),
])
def test_card_key(readings: dict[str, tuple[FieldReading, ...]], key: str | None) -> None:
    assert card_key(readings) == key


def test_only_what_is_there_has_a_fingerprint() -> None:
    face = np.full(128, 128**-0.5, np.float32)
    capture = Capture(b"front", None, b"selfie", None, SupportInfo())
    prints = fingerprints(capture, Seen(front=rectified(1)), face, face, {})
    assert prints.part_sha256 == {"front": hashlib.sha256(b"front").hexdigest(), "selfie": hashlib.sha256(b"selfie").hexdigest()}
    assert prints.perceptual == {"front": hashed(rectified(1)), "selfie": face_hash(face)}
    assert prints.face == tuple(map(float, face)) and prints.card_key is None
    assert fingerprints(capture, Seen(), None, None, {}).perceptual == {}
