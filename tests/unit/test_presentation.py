"""Copies and screens: what the network is given, what it says of one drawn card and its copies, and what colour tells."""

from __future__ import annotations

import random
from collections.abc import Mapping

import cv2
import numpy as np
import pytest

from models.registry import load_calibration
from models.specimens.camera import Defect, Severity, photograph
from models.specimens.card import CardSpec, draw_card
from models.specimens.faces import load_faces
from models.specimens.people import invent_person
from pipeline.checks.deception import suspicion_of
from pipeline.domain.card_model import CardModel
from pipeline.domain.evidence import Presentation
from pipeline.networks.presentation import COLUMNS, HEIGHT, TILE, WHOLE_WIDTH, WIDTH
from pipeline.stages.decode import decode
from pipeline.stages.geometry import card_frame
from pipeline.stages.mosaic import OUTSIDE, WHOLE_PX_PER_MM, mosaic, patch_centres
from pipeline.stages.presentation import PATCH, _power, chroma_spread, measure_presentation, selfie_grid
from pipeline.stages.rectify import rectify
from pipeline.wiring import local_networks

CALIBRATION = load_calibration()
LIGHTS = {"white": (1, 1, 1), "warm": (0.62, 0.85, 1.0), "cold": (1.0, 0.92, 0.8)}
QUAD = np.array([[300.0, 200.0], [1155.0, 200.0], [1155.0, 739.0], [300.0, 739.0]])
"""Upright, ten pixels a millimetre."""


def print_of(seed: int = 1, colour: bool = True) -> np.ndarray:
    """A card side: a rainbow tint, dark print, a patch as a QR has; grey where it is a copy."""
    rng = np.random.default_rng(seed)
    ramp = np.linspace(0, 1, 1712, dtype=np.float32)
    card = np.repeat(np.stack([0.9 - 0.12 * ramp, np.full_like(ramp, 0.88), 0.8 + 0.12 * ramp], axis=1)[None], 1080, axis=0)
    for row in range(120, 700, 90):
        for x in range(500, 1500, 46):
            if rng.random() < 0.7:
                card[row : row + 50, x : x + 22] = 0.2
    modules = rng.integers(0, 2, (60, 60)).repeat(6, 0).repeat(6, 1)
    card[650:1010, 100:460] = (modules * 0.8 + 0.1)[:, :, None]
    if not colour:
        card = np.repeat(card.mean(axis=2, keepdims=True), 3, axis=2)
    return card


def seen(card, light="white", slope=0.0, noise=3.0, seed=2):
    """As a sensor gives it: the lamp's colour, uneven light, blur, noise, JPEG."""
    xx = np.linspace(-0.5, 0.5, card.shape[1], dtype=np.float32)[None, :, None]
    photo = cv2.GaussianBlur((card * (1 + slope * xx) * np.array(LIGHTS[light], np.float32) * 235).astype(np.float32), (0, 0), 1.2)
    photo = np.clip(photo + np.random.default_rng(seed).normal(0, noise, photo.shape), 0, 255).astype(np.uint8)
    return cv2.imdecode(cv2.imencode(".jpg", photo, [cv2.IMWRITE_JPEG_QUALITY, 85])[1], cv2.IMREAD_COLOR)


@pytest.mark.parametrize("light", LIGHTS)
@pytest.mark.parametrize("slope", [0.0, 0.6])
@pytest.mark.parametrize("colour", [True, False], ids=["original", "copy"])
def test_only_the_copy_has_no_colour_whatever_the_light(colour, slope, light):
    spread = chroma_spread(seen(print_of(colour=colour), light, slope))
    assert spread is not None
    assert (spread > CALIBRATION["presentation.chroma_spread"]) is colour
    assert (spread <= CALIBRATION["presentation.colourless"]) is not colour


def test_where_nothing_is_lit_no_colour_is_told() -> None:
    assert chroma_spread(np.zeros((1080, 1712, 3), np.uint8)) is None


def gridded(card, period=(5.3, 6.1), depth=0.25):
    """The pattern of a screen's pixels over all of it."""
    yy, xx = np.mgrid[0 : card.shape[0], 0 : card.shape[1]].astype(np.float32)
    wave = np.cos(2 * np.pi * (xx / period[0] + yy / (7 * period[1])))
    return card * (1 - depth / 2 + depth / 2 * wave)[:, :, None]


@pytest.mark.parametrize("period", [(3.1, 3.3), (5.3, 6.1), (8.7, 8.1)])
def test_only_a_grid_all_over_a_picture_looks_like_a_screen(period):
    limit = CALIBRATION["presentation.selfie_screen_max"]
    assert selfie_grid(seen(gridded(print_of(), period))) > limit
    half = print_of()
    half[:, 1200:] = gridded(print_of(), period)[:, 1200:]
    assert selfie_grid(seen(half)) <= limit and selfie_grid(seen(print_of())) <= limit


def test_a_picture_smaller_than_a_patch_shows_no_grid() -> None:
    assert selfie_grid(seen(print_of())[:100, :100]) is None


def numbered(width: int, height: int) -> np.ndarray:
    """A picture whose blue and green tell the place: x and y modulo 256."""
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    return np.stack([x % 256, y % 256, np.full_like(x, 90)], axis=2).astype(np.uint8)


def test_patches_are_the_view_s_own_pixels() -> None:
    view = numbered(1500, 1000)
    out = mosaic(view, QUAD)
    assert out.shape == (HEIGHT, WIDTH, 3)
    # the second patch of the lower row: its middle at 3/8 of the width and 3/4 of the height
    x, y = round(300 + 3 / 8 * 855) - TILE // 2, round(200 + 3 / 4 * 539) - TILE // 2
    left = WHOLE_WIDTH + TILE
    assert np.array_equal(out[TILE:, left : left + TILE], view[y : y + TILE, x : x + TILE])
    assert len(patch_centres(QUAD)) == 2 * COLUMNS


def test_the_whole_shows_the_card_in_the_middle_and_what_lies_round_it() -> None:
    view = np.full((1000, 1500, 3), (0, 0, 200), np.uint8)
    view[200:739, 300:1155] = (0, 200, 0)
    whole = mosaic(view, QUAD)[:, :WHOLE_WIDTH]
    edge = (WHOLE_WIDTH - 85.6 * WHOLE_PX_PER_MM) / 2
    assert (whole[HEIGHT // 2, round(edge) + 2] == (0, 200, 0)).all() and (whole[HEIGHT // 2, round(edge) - 3] == (0, 0, 200)).all()


@pytest.mark.parametrize("shift", [(-250, -150), (900, 600), (5000, 5000)])
def test_what_runs_out_of_the_picture_is_grey_and_no_patch_leaves_it(shift: tuple[float, float]) -> None:
    out = mosaic(numbered(1500, 1000), QUAD + np.array(shift))
    assert (out[:, WHOLE_WIDTH:, 2] == 90).all()
    assert (out[:, :WHOLE_WIDTH] == OUTSIDE).all(axis=2).any()


@pytest.fixture(scope="module")
def presentations() -> Mapping[Defect | None, Presentation]:
    """One drawn front, as it is and in every copy, photographed easily; expected: what it was made as."""
    person = invent_person(random.Random(8), "astronaut", adult_by=2013, abroad=False)
    front = draw_card(CardSpec(CardModel.E, person, 2018, 2028, 8), load_faces()[0].portrait()).front.image
    networks, found = local_networks(), {}
    for defect in (None, Defect.PHOTOCOPY, Defect.COLOUR_COPY, Defect.CUT_OUT, Defect.SCREEN, Defect.PHONE_SCREEN):
        shot = photograph(front, np.random.default_rng(80), Severity.EASY, long_side=2000, defect=defect)
        assert shot.corners is not None
        photo = decode(shot.jpeg, 2000)
        found[defect] = measure_presentation(rectify(photo.view, shot.corners), photo.view, shot.corners, networks, CALIBRATION)
    return found


@pytest.mark.parametrize("saturation", [1.0, 0.5, 0.0])
def test_what_has_lost_its_colour_is_a_grey_copy_whatever_else_it_looks_like(saturation: float) -> None:
    """A card of plain hues, drawn for this test: of a printer that the network never saw."""
    card = np.full((540, 856, 3), (205, 215, 225), np.float32)
    card[120:420, 60:300], card[40:90, 330:800], card[470:500, 330:800] = (110, 140, 190), (150, 190, 120), (190, 130, 150)
    grey = card @ np.array([0.114, 0.587, 0.299], np.float32)
    card = grey[..., None] + saturation * (card - grey[..., None])
    view = np.full((1000, 1500, 3), (90, 120, 100), np.uint8)
    view[200:740, 300:1156] = card.astype(np.uint8)
    found = measure_presentation(rectify(view, QUAD), view, QUAD, local_networks(), CALIBRATION)
    assert (found.photocopy == 1.0) is (saturation == 0.0)
    assert found.photocopy in (0.0, 1.0)


def suspicion(presentation: Presentation) -> float:
    found = suspicion_of(presentation, CALIBRATION)
    assert found is not None
    return found


def test_the_card_itself_is_not_suspected(presentations: Mapping[Defect | None, Presentation]) -> None:
    assert suspicion(presentations[None]) < CALIBRATION["presentation.suspicion_max"]


@pytest.mark.parametrize(("defect", "kind"), [(Defect.PHOTOCOPY, "photocopy"), (Defect.COLOUR_COPY, "colour_copy"),
                                              (Defect.SCREEN, "screen"), (Defect.PHONE_SCREEN, "screen")])
def test_a_copy_is_suspected_and_named(presentations: Mapping[Defect | None, Presentation], defect: Defect, kind: str) -> None:
    assert suspicion(presentations[defect]) > CALIBRATION["presentation.suspicion_max"]
    scores = presentations[defect].measured
    assert max(scores, key=scores.__getitem__) == kind


def test_a_cut_out_is_suspected(presentations: Mapping[Defect | None, Presentation]) -> None:
    assert suspicion(presentations[Defect.CUT_OUT]) > CALIBRATION["presentation.suspicion_max"]


def test_nothing_is_measured_of_a_card_too_small() -> None:
    small = np.array([[10.0, 10.0], [310, 10], [310, 200], [10, 200]])
    found = measure_presentation(seen(print_of()), seen(print_of()), small, local_networks(), CALIBRATION)
    assert found == Presentation(None, None, None) and not found.measured


def test_what_shows_colour_is_no_grey_copy() -> None:
    photo = seen(print_of())
    assert measure_presentation(photo, photo, card_frame(), local_networks(), CALIBRATION).photocopy == 0


def test_the_power_spectrum_is_that_of_another_transform() -> None:
    patches = np.random.default_rng(4).normal(size=(3, PATCH, PATCH)).astype(np.float32)
    expected = np.abs(np.fft.rfft2(patches.astype(np.float64))) ** 2
    assert _power(patches) == pytest.approx(expected, rel=1e-3, abs=1e-2)
