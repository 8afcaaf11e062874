"""The credential is told from what else the picture shows: real networks on cards that are laid on a desk here."""

from __future__ import annotations

import random

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from models.registry import load_calibration
from models.specimens.card import CardSpec, DrawnCard, draw_card
from models.specimens.faces import load_faces
from models.specimens.people import invent_person
from pipeline import sides
from pipeline.domain.capture import Capture
from pipeline.domain.card_model import CardModel, Side
from pipeline.domain.evidence import Sighting
from pipeline.domain.support import SupportInfo
from pipeline.networks.api import Networks
from pipeline.sides import find_sides
from pipeline.stages.geometry import quad_iou
from pipeline.stages.locate import Located
from pipeline.stopwatch import Stopwatch
from pipeline.wiring import local_networks

Picture = NDArray[np.uint8]
Box = tuple[int, int, int, int]
"""x0, y0, x1, y1 in pixels of a desk of 2,000 x 1,500."""
LEFT, RIGHT, MIDDLE, SHEET = (110, 420, 960, 956), (1040, 420, 1890, 956), (560, 450, 1410, 986), (330, 120, 1690, 1400)

ABOUT = 0.75
"""IoU: a pale card on a white sheet has hardly an edge, and which thing was meant is the question here."""


@pytest.fixture(scope="module")
def networks() -> Networks:
    return local_networks()


@pytest.fixture(scope="module")
def card() -> DrawnCard:
    person = invent_person(random.Random(5), "x", adult_by=2015)
    return draw_card(CardSpec(CardModel.G, person, 2022, 2032, 5), load_faces()[0].portrait())


def desk() -> Picture:
    rng = np.random.default_rng(1)
    slow = cv2.resize(rng.uniform(60, 110, (6, 8, 3)).astype(np.float32), (2000, 1500), interpolation=cv2.INTER_CUBIC)
    return np.asarray((slow + rng.normal(0, 3, (1500, 2000, 1))).clip(0, 255), np.uint8)


def lay(view: Picture, thing: Picture, box: Box, radius: int = 32) -> None:
    """A thing with round corners onto the desk."""
    x0, y0, x1, y1 = box
    small = cv2.resize(thing, (x1 - x0, y1 - y0), interpolation=cv2.INTER_AREA)
    cover = np.zeros(small.shape[:2], np.uint8)
    cv2.rectangle(cover, (radius, radius), (x1 - x0 - radius, y1 - y0 - radius), 255, -1)
    cover = cv2.dilate(cover, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1)))
    share = cover[..., None] / 255
    view[y0:y1, x0:x1] = (small * share + view[y0:y1, x0:x1] * (1 - share)).astype(np.uint8)


def bank_card() -> Picture:
    plain = np.full((1080, 1712, 3), (120, 40, 30), np.uint8)
    cv2.rectangle(plain, (150, 400), (400, 580), (80, 190, 220), -1)
    cv2.putText(plain, "4000 1234 5678 9010", (150, 780), cv2.FONT_HERSHEY_SIMPLEX, 4, (220, 220, 220), 8)
    return plain


def white(height: int = 1280, width: int = 1360) -> Picture:
    return np.full((height, width, 3), 235, np.uint8)


def jpeg(view: Picture) -> bytes:
    return bytes(cv2.imencode(".jpg", cv2.GaussianBlur(view, (0, 0), 0.8), [cv2.IMWRITE_JPEG_QUALITY, 92])[1])


def seen(things: list[tuple[Picture, Box]], networks: Networks) -> tuple[Sighting, Box | None]:
    """What was seen in a front photo of these things, and about where the front is."""
    view = desk()
    for thing, box in things:
        lay(view, thing, box, 2 if box == SHEET else 32)
    capture = Capture(jpeg(view), None, None, None, SupportInfo())
    photos, front, _ = find_sides(capture, networks, load_calibration(), Stopwatch())
    if front is None:
        return photos[Side.FRONT].sighting, None
    return photos[Side.FRONT].sighting, next(
        (box for _, box in things if quad_iou(np.array(front.evidence.corners), corners(box)) > ABOUT), None)


def corners(box: Box) -> NDArray[np.float64]:
    x0, y0, x1, y1 = box
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.float64)


def test_the_credential_is_told_from_what_lies_beside_under_or_round_it(card: DrawnCard, networks: Networks) -> None:
    front = card.front.image
    grey = np.asarray(cv2.cvtColor(cv2.cvtColor(front, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR), np.uint8)
    table: list[tuple[str, list[tuple[Picture, Box]], tuple[Sighting, Box | None]]] = [
        ("alone", [(front, LEFT)], (Sighting.FOUND, LEFT)),
        ("a bank card beside it", [(bank_card(), LEFT), (front, RIGHT)], (Sighting.FOUND, RIGHT)),
        ("on a sheet", [(white(), SHEET), (front, MIDDLE)], (Sighting.FOUND, MIDDLE)),
        ("copied onto a sheet", [(white(), SHEET), (grey, MIDDLE)], (Sighting.FOUND, MIDDLE)),
        ("two credentials", [(front, LEFT), (front, RIGHT)], (Sighting.SEVERAL, None)),
    ]
    assert {name: seen(things, networks) for name, things, _ in table} == {name: expected for name, _, expected in table}


@pytest.mark.parametrize(("score", "hinted"), [(0.1, False), (0.4, True)])
def test_blur_is_looked_for_where_something_like_a_card_is_there(score: float, hinted: bool, networks: Networks,
                                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    """A sheet out of focus. The locator's word is given: what it makes of a blur is another question."""
    monkeypatch.setattr(sides, "locate", lambda *_: Located(Sighting.NONE, None, score))
    view = desk()
    lay(view, white(), SHEET, 2)
    capture = Capture(jpeg(cv2.GaussianBlur(view, (0, 0), 20)), None, None, None, SupportInfo())
    blur = find_sides(capture, networks, load_calibration(), Stopwatch())[0][Side.FRONT].blur
    assert blur == (pytest.approx(20 / 2000, rel=0.2) if hinted else None)


def test_a_bank_card_alone_is_no_credential(networks: Networks) -> None:
    assert seen([(bank_card(), LEFT)], networks)[1] is None
