"""The look of a whole side: what its shares say, as tables; and the committed network on cards that the specimens draw."""

from __future__ import annotations

import random

import cv2
import numpy as np
import pytest

from models.registry import load_calibration
from models.specimens.backgrounds import draw_surface
from models.specimens.backgrounds_clutter import write_lines
from models.specimens.card import CardSpec, draw_card
from models.specimens.faces import load_faces
from models.specimens.people import invent_person
from pipeline.domain.card_model import CardModel, Side
from pipeline.networks.card_model import HEIGHT, KINDS, WIDTH, CardLook, look_at_card
from pipeline.stages.survey_side import sign_of_look, turned
from pipeline.wiring import local_networks

CALIBRATION = load_calibration()
CARD_SIZE = (1712, 1080)


def look(upright: float = 0.99, **shares: float) -> CardLook:
    return CardLook({kind.name: shares.get(kind.name, 0.0) for kind in KINDS}, upright)


def test_every_kind_has_a_name_of_its_own_and_each_side_covers_every_model() -> None:
    assert len({kind.name for kind in KINDS}) == len(KINDS)
    for side in Side:
        models = [model for kind in KINDS if kind.side is side for model in kind.models]
        assert sorted(models) == sorted(CardModel)


@pytest.mark.parametrize(("seen", "side", "enough", "models"), [
    (look(front_e=0.97, front_d=0.03), Side.FRONT, 0.9, "E"),
    (look(front_e=0.60, front_d=0.38, front_f=0.02), Side.FRONT, 0.9, "DE"),
    (look(front_e=0.60, front_d=0.38, front_f=0.02), Side.FRONT, 0.5, "E"),
    (look(back_ef=0.95, back_d=0.05), Side.BACK, 0.9, "EF"),
    (look(back_gh=1.0), Side.BACK, 0.9, "GHIJ"),
    (look(front_old=0.99), Side.FRONT, 0.9, "ABC"),
    (look(front_e=0.54, other_document=0.46), Side.FRONT, 0.9, "E"),
    (look(front_e=0.45, other_document=0.55), Side.FRONT, 0.9, ""),
    (look(not_a_card=1.0), Side.BACK, 0.9, ""),
    (look(front_e=0.97, back_ef=0.03), Side.BACK, 0.9, ""),
])
def test_the_models_of_a_side(seen: CardLook, side: Side, enough: float, models: str) -> None:
    assert "".join(seen.models(side, enough)) == models


@pytest.mark.parametrize(("seen", "answer"), [
    (look(1.0, front_e=0.6, front_d=0.4), (Side.FRONT, False)),
    (look(0.0, front_gh=1.0), (Side.FRONT, True)),
    (look(0.0, back_gh=0.5, back_ef=0.5), (Side.BACK, True)),
    (look(0.5, back_gh=1.0), None),
    (look(1.0, front_e=0.5, back_ef=0.5), None),
    (look(1.0, other_document=0.6, front_e=0.4), None),
    (look(1.0, not_a_card=1.0), None),
])
def test_a_sign_needs_a_sure_side_and_a_sure_direction(seen: CardLook, answer: tuple[Side, bool] | None) -> None:
    sign = sign_of_look(seen, CALIBRATION)
    assert (sign and (sign.side, sign.half_turn)) == answer
    assert sign is None or sign.confidence == pytest.approx(1.0)


class Noting:
    """Notes what the network is given."""

    def run(self, name: str, batch: np.ndarray) -> tuple[np.ndarray, ...]:
        self.name, self.batch = name, batch
        return np.eye(len(KINDS), dtype=np.float32)[4:5], np.array([0.25], np.float32)

    def digests(self) -> dict[str, str]:
        return {}


def test_the_network_sees_the_whole_card_at_an_eighth() -> None:
    card = np.zeros((1080, 1712, 3), np.uint8)
    card[:, 856:] = (10, 200, 90)
    networks = Noting()
    seen = look_at_card(card, networks)
    assert networks.name == "card_model" and networks.batch.shape == (1, HEIGHT, WIDTH, 3) and networks.batch.dtype == np.uint8
    assert networks.batch[0, 60, 100].tolist() == [0, 0, 0] and networks.batch[0, 60, 115].tolist() == [10, 200, 90]
    assert seen.shares["front_gh"] == 1.0 and seen.upright == 0.25


@pytest.fixture(scope="module")
def drawn() -> dict[tuple[CardModel, Side], np.ndarray]:
    """Both sides of a card of each layout, as rectified."""
    rng = random.Random(515)
    portrait = load_faces()[2].portrait()
    sides = {}
    for model in (CardModel.C, CardModel.D, CardModel.E, CardModel.F, CardModel.G):
        year = 2013 if model < CardModel.E else 2019
        card = draw_card(CardSpec(model, invent_person(rng, "person_b", abroad=model.issued_abroad), year, year + 10, 71, 0.5), portrait)
        for side, image in ((Side.FRONT, card.front.image), (Side.BACK, card.back.image)):
            sides[model, side] = np.asarray(cv2.resize(image, CARD_SIZE, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    return sides


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("model", [CardModel.C, CardModel.D, CardModel.E, CardModel.F, CardModel.G])
def test_a_drawn_side_is_known_either_way_up(drawn: dict[tuple[CardModel, Side], np.ndarray], model: CardModel, side: Side) -> None:
    networks = local_networks()
    for half_turn, card in ((False, drawn[model, side]), (True, turned(drawn[model, side]))):
        seen = look_at_card(card, networks)
        sign = sign_of_look(seen, CALIBRATION)
        assert sign is not None and (sign.side, sign.half_turn) == (side, half_turn)
        assert model in seen.models(side, CALIBRATION["model.look_enough"])


def page() -> np.ndarray:
    sheet = np.full((1080, 1712, 3), 238, np.uint8)
    write_lines(np.random.default_rng(3), sheet, 9.0)
    return sheet


@pytest.mark.parametrize("picture", [
    page(),
    draw_surface("wood", np.random.default_rng(4), *CARD_SIZE, 9.0),
    draw_surface("cloth", np.random.default_rng(5), *CARD_SIZE, 9.0),
    np.full((1080, 1712, 3), 120, np.uint8),
], ids=["text", "wood", "cloth", "plain"])
def test_what_is_no_credential_gives_no_side_and_no_model(picture: np.ndarray) -> None:
    seen = look_at_card(picture, local_networks())
    assert sign_of_look(seen, CALIBRATION) is None
    assert not any(seen.models(side, CALIBRATION["model.look_enough"]) for side in Side)
