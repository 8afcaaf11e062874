"""examine() takes any picture: what cannot be used is evidence, never an exception."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from models.registry import load_calibration
from pipeline.decide import decide
from pipeline.domain.capture import Capture
from pipeline.domain.context import Context
from pipeline.domain.evidence import Sighting
from pipeline.domain.process import DEMO_PROCESS
from pipeline.domain.support import SupportInfo
from pipeline.domain.verdict import Outcome
from pipeline.networks.api import Networks
from pipeline.verify import examine
from pipeline.wiring import local_networks
from tests.unit.good_support import AS_OF


@pytest.fixture(scope="module")
def networks() -> Networks:
    return local_networks()


def png(width: int, height: int, seed: int | None) -> bytes:
    """Noise, or plain grey without a seed."""
    rng = np.random.default_rng(seed)
    pixels = np.full((height, width, 3), 127, np.uint8) if seed is None else rng.integers(0, 256, (height, width, 3), np.uint8)
    return bytes(cv2.imencode(".png", pixels)[1])


SIZES = ((1, 1), (1, 900), (900, 1), (2, 2), (63, 64), (64, 64), (65, 1200), (1200, 70), (333, 777), (1024, 768))


@pytest.mark.parametrize("seed", [None, 1])
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_any_picture_becomes_a_retake(networks: Networks, width: int, height: int, seed: int | None) -> None:
    picture = png(width, height, seed)
    evidence = examine(Capture(picture, picture, picture, picture, SupportInfo()), networks, load_calibration())
    verdict = decide(evidence, Context(SupportInfo(), DEMO_PROCESS, load_calibration(), AS_OF))
    assert verdict.outcome is Outcome.RETAKE
    assert evidence.card.front is None and evidence.card.back is None and evidence.mrz is None


@pytest.mark.parametrize("data", [None, b"", b"not a picture", b"\xff\xd8\xff\xe0" + bytes(40)])
def test_what_is_no_picture_is_asked_for_again(networks: Networks, data: bytes | None) -> None:
    evidence = examine(Capture(data, data, data, data, SupportInfo()), networks, load_calibration())
    assert {photo.sighting for photo in evidence.card.photos.values()} == {Sighting.UNREADABLE}
    verdict = decide(evidence, Context(SupportInfo(), DEMO_PROCESS, load_calibration(), AS_OF))
    assert {reason.code for reason in verdict.reasons} >= {"front.unreadable_file", "selfie.unreadable_file", "signature.unreadable_file"}
