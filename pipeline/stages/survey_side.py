"""Which side of the card lies there, and which way is up: by codes, faces and the machine-readable zone; where none of them
speaks, by the look of the whole. No text is read."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.domain.calibration import Calibration
from pipeline.domain.card_model import Side
from pipeline.domain.evidence import CodeRole, CodeStatus, Symbology
from pipeline.networks.api import Image, Networks
from pipeline.networks.card_model import CardLook, look_at_card
from pipeline.stages.find_mrz import find_mrz_band
from pipeline.stages.match_face import portrait_score
from pipeline.stages.read_codes import CardCode, half_turned, read_codes
from pipeline.stages.rectify import as_grey
from pipeline.stages.scan_codes import Look, look

GLANCE = Look(scale=0.5)
"""A portrait may stand on the newest backs too, with QRs beside it: half the card's size shows a small QR in under a
millisecond (33 modules of 12 mm get 3.6 pixels each)."""


@dataclass(frozen=True, slots=True)
class Survey:
    """side: None where nothing says.  half_turn: the card lay upside down.  confidence: 0..1, of the side and its direction.
    codes: of a back, in the frame of `upright`.  upright: the card, turned if need be.  grey: the same without colour."""

    side: Side | None
    half_turn: bool
    confidence: float
    codes: tuple[CardCode, ...]
    upright: Image
    grey: Image


@dataclass(frozen=True, slots=True)
class Sign:
    """What one kind of evidence says."""

    side: Side
    half_turn: bool
    confidence: float
    codes: tuple[CardCode, ...] = ()


def survey_side(card: Image, networks: Networks, calibration: Calibration, hint: Side) -> Survey:
    """`card`: rectified, (1080, 1712, 3) BGR or grey, one of its two long sides up. `hint`: what the photo was sent as.

    Evidence of the hinted side is looked for first, so that the usual case costs least; a back is then read to the end of
    the ladder of `read_codes`.
    """
    grey = as_grey(card)
    if hint is Side.FRONT:
        sign = _front_sign(card, grey, networks, calibration) or _back_sign(grey, networks, calibration)
    else:
        sign = _back_sign(grey, networks, calibration) or _front_sign(card, grey, networks, calibration)
    return _surveyed(card, grey, sign, networks, calibration)


def survey_by_look(card: Image, grey: Image, networks: Networks, calibration: Calibration) -> Survey:
    """The last resort, for a card of which `survey_side` knows nothing: what the network is sure that the whole looks like."""
    return _surveyed(card, grey, sign_of_look(look_at_card(card, networks), calibration), networks, calibration)


def _surveyed(card: Image, grey: Image, sign: Sign | None, networks: Networks, calibration: Calibration) -> Survey:
    if sign is None:
        return Survey(None, False, 0.0, (), card, grey)
    upright, upright_grey = (turned(card), turned(grey)) if sign.half_turn else (card, grey)
    codes = half_turned(sign.codes) if sign.half_turn else sign.codes
    if sign.side is Side.BACK:
        codes = read_codes(upright_grey, networks, calibration, deep=True, known=codes)
    return Survey(sign.side, sign.half_turn, sign.confidence, codes, upright, upright_grey)


def turned(card: Image) -> Image:
    return np.asarray(cv2.rotate(card, cv2.ROTATE_180), dtype=np.uint8)


def _front_sign(card: Image, grey: Image, networks: Networks, calibration: Calibration) -> Sign | None:
    """A face: upright, or upside down on a card that lies so. Codes beside it say that it is a back after all."""
    sure, least = calibration["survey.face_sure"], calibration["survey.face_least"]
    best = portrait_score(card, networks)
    half_turn = False
    if best < sure:
        other = portrait_score(turned(card), networks)
        half_turn = other > best
        best = max(best, other)
    if best < least or _has_qr(grey):
        return None
    return Sign(Side.FRONT, half_turn, best)


def _has_qr(grey: Image) -> bool:
    return any(code.decoded for code in look(grey, GLANCE, (Symbology.QR,)))


def _back_sign(grey: Image, networks: Networks, calibration: Calibration) -> Sign | None:
    """Codes, which also tell the direction by the way they read; else the machine-readable zone, by the edge it lies at."""
    codes = read_codes(grey, networks, calibration, deep=False)
    sign = sign_of_codes(codes)
    if sign is not None:
        return sign
    if find_mrz_band(grey) is not None:
        return Sign(Side.BACK, False, calibration["survey.mrz_confidence"], codes)
    if find_mrz_band(turned(grey)) is not None:
        return Sign(Side.BACK, True, calibration["survey.mrz_confidence"], codes)
    return None


_WEIGHTS = {CodeRole.LARGE_LEFT: 2, CodeRole.LARGE_RIGHT: 2, CodeRole.PDF417: 2, CodeRole.SMALL: 2, CodeRole.LINEAR: 1,
            CodeRole.FOREIGN: 1}
"""Votes for the direction. A linear code of nine digits could be a sticker's, and so could a foreign QR."""


def sign_of_codes(codes: tuple[CardCode, ...]) -> Sign | None:
    """The back, turned as most of its codes read; None where none was decoded. Confidence: the share of the votes."""
    votes = [0, 0]
    for code in codes:
        if code.status is not CodeStatus.DETECTED:
            votes[bool(code.upside_down)] += _WEIGHTS[code.role]
    if not any(votes):
        return None
    return Sign(Side.BACK, votes[1] > votes[0], max(votes) / sum(votes), codes)


def sign_of_look(card_look: CardLook, calibration: Calibration) -> Sign | None:
    """The side and direction that the network is sure of; None where it is not sure of both. Confidence: the lesser one."""
    way = max(card_look.upright, 1 - card_look.upright)
    side = max(Side, key=card_look.side_share)
    share = card_look.side_share(side)
    if share < calibration["survey.look_side"] or way < calibration["survey.look_direction"]:
        return None
    return Sign(side, card_look.upright < 0.5, min(share, way))
