"""Locating: sub-pixel edges from a rough quad, and what a sighting is called, with a network that sees what it is told."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

from models.registry import load_calibration
from models.specimens.camera import Severity
from models.specimens.make import Order, draw_support, make_specimens
from pipeline.domain.calibration import Calibration
from pipeline.domain.card_model import CardModel
from pipeline.domain.evidence import Sighting
from pipeline.networks.api import Array, Net
from pipeline.networks.locator import Sight, candidates, look, runs_on
from pipeline.stages.decode import decode
from pipeline.stages.geometry import Quad, is_convex, quad_iou
from pipeline.stages.locate import locate, long_side_first
from pipeline.stages.refine import refine
from pipeline.wiring import local_networks

WIDTH, HEIGHT = 2000, 1500


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    return load_calibration()


def desk(seed: int = 0, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    rng = np.random.default_rng(seed)
    slow = cv2.resize(rng.uniform(70, 120, (6, 8, 3)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    return (slow + rng.normal(0, 3, (height, width, 1))).clip(0, 255).astype(np.uint8)


def lay(view: np.ndarray, quad: Quad, seed: int = 0) -> None:
    """A white card with print, a printed frame inside its edge, and round corners, onto the desk."""
    rng = np.random.default_rng(seed)
    flat = np.full((540, 856, 3), 225, np.uint8)
    cv2.rectangle(flat, (40, 40), (815, 499), (120, 60, 40), 4)
    for line in range(10):
        cv2.putText(flat, "".join(rng.choice(list("ABCDEFGH123"), 24)), (60, 90 + 42 * line), cv2.FONT_HERSHEY_SIMPLEX, 1, (40, 40, 40), 2)
    cover = np.zeros((540, 856), np.float32)
    radius = 32
    cv2.rectangle(cover, (radius, 0), (855 - radius, 539), 1.0, -1)
    cv2.rectangle(cover, (0, radius), (855, 539 - radius), 1.0, -1)
    for x, y in ((radius, radius), (855 - radius, radius), (855 - radius, 539 - radius), (radius, 539 - radius)):
        cv2.circle(cover, (x, y), radius, 1.0, -1)
    source = np.array([[-0.5, -0.5], [855.5, -0.5], [855.5, 539.5], [-0.5, 539.5]], np.float32)
    matrix = cv2.getPerspectiveTransform(source, quad.astype(np.float32))
    size = (view.shape[1], view.shape[0])
    alpha = cv2.warpPerspective(cover, matrix, size)[..., None]
    view[:] = (cv2.warpPerspective(flat, matrix, size, borderMode=cv2.BORDER_REPLICATE) * alpha + view * (1 - alpha)).astype(np.uint8)
    view[:] = cv2.GaussianBlur(view, (0, 0), 0.8)


CARDS = {
    "straight": np.array([[400, 350], [1600, 350], [1600, 1107], [400, 1107]], float),
    "turned": np.array([[840, 200], [1700, 700], [1384, 1243], [524, 743]], float),
    "on its side": np.array([[1300, 250], [1310, 1280], [690, 1240], [660, 230]], float),
    "tilted": np.array([[500, 450], [1500, 380], [1650, 1100], [380, 1010]], float),
    "upside down": np.array([[1600, 1107], [400, 1107], [400, 350], [1600, 350]], float),
}


@dataclass
class Told:
    """A locator that sees these documents, each shifted by up to `off` pixels of the view."""

    quads: list[Quad]
    off: float = 12.0
    width: int = WIDTH
    height: int = HEIGHT
    calls: int = 0

    def run(self, name: Net, batch: Array) -> tuple[Array, ...]:
        assert name is Net.LOCATOR
        assert batch.shape[1:] == (192, 256, 3)
        assert batch.dtype == np.uint8
        self.calls += 1
        rng = np.random.default_rng(5)
        areas = np.zeros((len(batch), 3, 48, 64), np.float32)
        corners = np.full((len(batch), 4, 48, 64), 1e-6, np.float32)
        if self.calls > 1:
            return areas, corners  # crops show nothing new
        for number, quad in enumerate(self.quads):
            cells = (quad + rng.uniform(-self.off, self.off, (4, 2)) + 0.5) / (self.width, self.height) * (64, 48) - 0.5
            if self.height > self.width:
                cells = ((quad + 0.5) / (self.width, self.height) * (48, 64) - 0.5)[:, ::-1]
            points = np.round(cells * 16).astype(np.int32)
            cv2.fillConvexPoly(areas[0, 0], points, 1.0, shift=4)
            cv2.polylines(areas[0, 1], [points], True, 1.0, 2, shift=4)
            if number == 0:
                for corner, (x, y) in enumerate(np.clip(cells, 0, (63, 47))):
                    yy, xx = np.mgrid[0:48, 0:64]
                    bump = np.exp(-((xx - x) ** 2 + (yy - y) ** 2) / 2)
                    corners[0, corner] = bump / bump.sum()
        return areas, corners

    def digests(self) -> dict[str, str]:
        return {}


@pytest.mark.parametrize("name", CARDS)
def test_a_rough_quad_is_refined_to_the_cards_own_edges(name: str) -> None:
    view = desk()
    lay(view, CARDS[name])
    picture = cv2.resize(view, (1000, 750), interpolation=cv2.INTER_AREA)
    truth = (CARDS[name] + 0.5) / 2 - 0.5
    rough = truth + np.random.default_rng(3).uniform(-7, 7, (4, 2))
    found = refine(refine_input(picture), rough, 20)
    found = refine(refine_input(picture), found.quad, 4)
    assert np.abs(found.quad - truth).max() < 0.8
    assert found.support.min() > 0.8


def refine_input(picture: np.ndarray) -> np.ndarray:
    return np.asarray(picture, dtype=np.uint8)


def test_a_side_that_is_hidden_stays_and_says_so() -> None:
    view = desk()
    lay(view, CARDS["straight"])
    view[:, 1450:] = 100  # the right end is under something plain
    picture = cv2.resize(view, (1000, 750), interpolation=cv2.INTER_AREA)
    truth = (CARDS["straight"] + 0.5) / 2 - 0.5
    found = refine(refine_input(picture), truth + 0.0, 14)
    assert found.support[1] < 0.2
    assert np.abs(found.quad - truth).max() < 2.5


@pytest.mark.parametrize("name", CARDS)
def test_a_card_is_found_wherever_and_however_it_lies(name: str, calibration: Calibration) -> None:
    view = desk(1)
    lay(view, CARDS[name], 1)
    networks = Told([CARDS[name]])
    found = locate(view, networks, calibration)
    assert found.sighting is Sighting.FOUND
    assert found.quad is not None
    assert quad_iou(found.quad, CARDS[name]) > 0.99
    assert is_convex(found.quad)
    top, right = np.linalg.norm(found.quad[1] - found.quad[0]), np.linalg.norm(found.quad[2] - found.quad[1])
    assert top > right
    assert networks.calls == 1, "the fast path is one look"


def test_a_portrait_photo_is_seen_transposed(calibration: Calibration) -> None:
    view = desk(2, HEIGHT, WIDTH)
    quad = np.array([[200, 600], [1300, 640], [1280, 1330], [190, 1300]], float)
    lay(view, quad)
    found = locate(view, Told([quad], width=HEIGHT, height=WIDTH), calibration)
    assert found.sighting is Sighting.FOUND
    assert found.quad is not None
    assert quad_iou(found.quad, quad) > 0.99


def test_a_card_whose_portrait_was_taken_for_the_ground_is_completed_by_its_shape(tmp_path: Path, calibration: Calibration) -> None:
    """One of the drawn captures, on which the network leaves out the part of the card that the portrait is on."""
    (folder,) = make_specimens(tmp_path, 1, 77_001, "normal", jobs=1)
    truth = json.loads((folder / "truth.json").read_text())["front"]["corners"]
    photo = decode((folder / "front.jpg").read_bytes())
    found = locate(photo.view, local_networks(), calibration)
    assert found.sighting is Sighting.FOUND and found.quad is not None
    assert quad_iou(found.quad, (np.array(truth) + 0.5) / photo.scale - 0.5) > 0.98


def test_a_side_that_was_drawn_through_the_portrait_is_put_right(tmp_path: Path, calibration: Calibration) -> None:
    """Another, on chequered paper: the likeliest quad has two sides on print, and so a shape that no card has."""
    order = Order(25, 99_003, Severity.NORMAL, "edited_qr_cic", CardModel.E, None)
    draw_support(tmp_path, order)
    truth = json.loads((tmp_path / order.name / "truth.json").read_text())["front"]["corners"]
    photo = decode((tmp_path / order.name / "front.jpg").read_bytes())
    found = locate(photo.view, local_networks(), calibration)
    assert found.sighting is Sighting.FOUND and found.quad is not None
    assert quad_iou(found.quad, (np.array(truth) + 0.5) / photo.scale - 0.5) > 0.9


def test_nothing_seen_is_none(calibration: Calibration) -> None:
    found = locate(desk(3), Told([]), calibration)
    assert found.sighting is Sighting.NONE
    assert found.quad is None


def test_a_card_that_runs_out_of_the_frame_is_cut(calibration: Calibration) -> None:
    view = desk(4)
    quad = CARDS["straight"] + np.array([720.0, 0.0])
    lay(view, quad)
    found = locate(view, Told([np.clip(quad, 0, (WIDTH - 1, HEIGHT - 1))], off=3), calibration)
    assert found.sighting is Sighting.CUT


def test_a_card_that_nearly_fills_the_frame_is_found(calibration: Calibration) -> None:
    view = desk(5)
    quad = np.array([[30, 130], [1968, 135], [1965, 1360], [34, 1355]], float)
    lay(view, quad)
    found = locate(view, Told([quad], off=5), calibration)
    assert found.sighting is Sighting.FOUND


def test_two_cards_of_a_size_are_several_and_a_small_one_beside_is_not(calibration: Calibration) -> None:
    first = np.array([[100, 300], [950, 300], [950, 836], [100, 836]], float)
    like, small = first + np.array([950.0, 200.0]), first * 0.3 + np.array([1400.0, 900.0])
    for other, expected in ((like, Sighting.SEVERAL), (small, Sighting.FOUND)):
        view = desk(6)
        lay(view, first)
        lay(view, other, 8)
        assert locate(view, Told([first, other], off=6), calibration).sighting is expected


def test_what_else_lies_there_is_named(calibration: Calibration) -> None:
    first = np.array([[100, 300], [950, 300], [950, 836], [100, 836]], float)
    other = first + np.array([950.0, 200.0])
    view = desk(6)
    lay(view, first)
    lay(view, other, 8)
    found = locate(view, Told([first, other], off=6), calibration)
    assert [max(quad_iou(quad, card) for card in (first, other)) > 0.9 for quad in found.others] == [True]


@pytest.mark.parametrize(("beyond", "beside", "least", "most"), [
    (0.0, 0.0, -0.1, 0.1), (1.0, 0.0, 0.8, 1.0), (1.0, 1.0, -0.1, 0.1), (0.0, 1.0, -1.0, 0.1),
])
def test_a_document_runs_on_where_the_strip_beyond_a_side_is_covered_and_what_lies_beside_is_not(
        beyond: float, beside: float, least: float, most: float) -> None:
    area = np.zeros((48, 64), np.float32)
    area[:, 40:] = beside
    area[14:34, 40:] = beyond
    area[14:34, 10:40] = 1.0
    sight = Sight((0, 0, 640, 480), area, np.zeros_like(area), np.zeros((4, 48, 64), np.float32))
    quad = sight.to_picture(np.array([[9.5, 13.5], [39.5, 13.5], [39.5, 33.5], [9.5, 33.5]]))
    assert least <= runs_on(sight, quad) <= most


def test_another_shape_is_sought_by_its_ratio(calibration: Calibration) -> None:
    view = desk(7)
    square = np.array([[600, 300], [1400, 300], [1400, 1100], [600, 1100]], float)
    lay(view, square)
    assert locate(view, Told([square], off=4), calibration).sighting is Sighting.NONE
    assert locate(view, Told([square], off=4), calibration, ratio=1.0).sighting is Sighting.FOUND


@pytest.mark.parametrize("start", range(4))
def test_the_long_side_comes_first_and_starts_left_or_top(start: int) -> None:
    for quad in CARDS.values():
        named = long_side_first(np.roll(quad, start, axis=0))
        sides = np.linalg.norm(np.roll(named, -1, axis=0) - named, axis=1)
        assert sides[0] + sides[2] > sides[1] + sides[3]
        assert is_convex(named)
        along = named[1] - named[0]
        assert along[0] > 0 if abs(along[0]) >= abs(along[1]) else along[1] < 0


def test_candidates_come_back_in_the_pictures_own_pixels() -> None:
    quad = CARDS["tilted"]
    sight = look(desk(0), [(0, 0, WIDTH, HEIGHT)], Told([quad], off=0))[0]
    found = candidates(sight)
    assert len(found) == 2
    for candidate in found:
        assert quad_iou(candidate, quad) > 0.9
        assert is_convex(candidate)
