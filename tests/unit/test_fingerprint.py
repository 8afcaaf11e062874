"""Hashes: alike for the same picture taken again, far apart for others; nothing is made up where nothing was read."""

from __future__ import annotations

import hashlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.domain.capture import Capture
from pipeline.domain.evidence import FieldReading
from pipeline.domain.support import SupportInfo
from pipeline.stages.fingerprint import card_key, fingerprints, hash_distance, perceptual_hash
from tests.unit.drawn_backs import back_e, back_g


def scene(seed: int, shape: tuple[int, int] = (400, 640)) -> np.ndarray:
    """A picture of broad shapes."""
    rough = np.random.default_rng(seed).integers(0, 255, (7, 11), dtype=np.uint8)
    return cv2.resize(rough, shape[::-1], interpolation=cv2.INTER_CUBIC)


@pytest.mark.parametrize("change", [
    lambda image: cv2.GaussianBlur(image, (0, 0), 2),
    lambda image: np.clip(image.astype(int) * 0.8 + 20, 0, 255).astype(np.uint8),
    lambda image: cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
    lambda image: cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 40])[1], cv2.IMREAD_GRAYSCALE),
    lambda image: cv2.cvtColor(image, cv2.COLOR_GRAY2BGR),
], ids=["blurred", "darker", "smaller", "compressed", "in colour"])
def test_the_same_picture_again_stays_near(change):
    for seed in range(20):
        assert hash_distance(perceptual_hash(scene(seed)), perceptual_hash(change(scene(seed)))) <= 6


def test_other_pictures_are_far():
    hashes = [perceptual_hash(scene(seed)) for seed in range(40)]
    distances = [hash_distance(a, b) for index, a in enumerate(hashes) for b in hashes[:index]]
    assert min(distances) >= 12 and 28 <= np.mean(distances) <= 36
    assert hash_distance(perceptual_hash(back_e()), perceptual_hash(back_g())) >= 12


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 255), st.integers(1, 300), st.integers(1, 300))
def test_a_plain_picture_has_no_waves(level, height, width):
    assert perceptual_hash(np.full((height, width), level, np.uint8)) == 0


def test_distance_counts_bits():
    assert hash_distance(0b1011, 0b0010) == 2 and hash_distance(2**64 - 1, 0) == 64


@pytest.mark.parametrize(("readings", "key"), [
    ({}, None),
    ({"cic": (FieldReading("123456789", 1.0, "mrz"),)}, None),
    ({"cic": (), "citizen_id": (FieldReading("987654321", 1.0, "mrz"),)}, None),
    ({"cic": (FieldReading("123456780", 0.4, "front"), FieldReading("123456789", 1.0, "mrz")),
      "citizen_id": (FieldReading("987654321", 1.0, "small_qr"),)}, hashlib.sha256(b"123456789/987654321").hexdigest()),
])
def test_card_key(readings, key):
    assert card_key(readings) == key


def test_only_what_is_there_has_a_fingerprint():
    prints = fingerprints(Capture(b"front", None, b"selfie", None, SupportInfo()), scene(1), None, scene(2), None,
                          np.array([0.5, -0.5], np.float32), {})
    assert prints.part_sha256 == {"front": hashlib.sha256(b"front").hexdigest(), "selfie": hashlib.sha256(b"selfie").hexdigest()}
    assert prints.perceptual == {"front": perceptual_hash(scene(1)), "selfie": perceptual_hash(scene(2))}
    assert prints.face == (0.5, -0.5) and prints.card_key is None
