"""Colour copies of a card: four inks of a laser printer or an inkjet on paper, whole on its sheet or cut out of it."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from models.specimens.backgrounds import noise
from models.specimens.backgrounds_clutter import rounded_mask
from models.specimens.camera_copies import photocopied
from pipeline.networks.api import Image
from pipeline.stages.geometry import CARD_MM, CORNER_RADIUS_MM

_DPI = 600
_SIZE = (round(CARD_MM[0] / 25.4 * _DPI), round(CARD_MM[1] / 25.4 * _DPI))
_PRIMARIES = {"": (243, 244, 245), "c": (205, 150, 18), "m": (118, 34, 205), "y": (34, 218, 246), "cm": (122, 48, 52),
              "cy": (76, 138, 22), "my": (42, 42, 196), "cmy": (44, 44, 48)}
"""BGR of paper and of inks over each other, as scans of office print show them (rough); black over any is near black."""
_TURNS = ((4, 1), (1, 4), (5, 0), (3, 3))
"""Rational angles of the screens of cyan, magenta, yellow and black: printer's dots right and down to the next dot of ink."""


def colour_copied(rng: np.random.Generator, card: Image) -> Image:
    """A copy of a card side in colour at its own size, 600 dots an inch. BGR."""
    image = cv2.resize(card, _SIZE, interpolation=cv2.INTER_AREA)
    soft = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.03, 0.08)) * _DPI / 25.4)
    inks = _inks(_in_gamut(rng, np.asarray(soft, np.uint8)))
    jet = rng.random() < 0.4
    index = np.zeros(_SIZE[::-1], np.uint8)
    for place, amount in enumerate(inks):
        limit = _strewn(rng) if jet else _clustered(rng, *_TURNS[place])
        shift = np.rint(rng.normal(0, 0.9, 2)).astype(int)
        index |= np.roll((amount > limit), (int(shift[0]), int(shift[1])), (0, 1)).astype(np.uint8) << place
    printed = cv2.GaussianBlur(_table()[index], (0, 0), float(rng.uniform(0.5, 0.9)))
    mottle = 1 + float(rng.uniform(0.004, 0.02)) * noise(rng, _SIZE[0], _SIZE[1], (8.0, 8.0), 2)
    return np.asarray(np.clip(printed * mottle[..., None], 0, 255), np.uint8)


def _in_gamut(rng: np.random.Generator, image: Image) -> Image:
    """Lightness between toner and paper, colours paler, a cast of the machine."""
    lab = np.asarray(cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_BGR2LAB), np.float32)
    low = float(rng.uniform(8, 22))
    lab[..., 0] = low + lab[..., 0] * (float(rng.uniform(92, 99)) - low) / 100
    reach = np.hypot(lab[..., 1], lab[..., 2])[..., None]
    paler = float(rng.uniform(0.7, 1.05)) / (1 + reach / float(rng.uniform(90, 200)))
    lab[..., 1:] = lab[..., 1:] * paler
    lab[..., 1:] += rng.normal(0, 1.8, 2).astype(np.float32)
    return np.asarray(np.clip(cv2.cvtColor(lab, cv2.COLOR_LAB2BGR) * 255, 0, 255), np.uint8)


def _inks(image: Image) -> list[NDArray[np.float32]]:
    """Amounts 0..1 of cyan, magenta, yellow, black for BGR: black takes over from the middle tones on."""
    need = (1 - image.astype(np.float32) / 255) ** np.float32(0.9)
    grey = need.min(axis=2)
    black = np.clip((grey - 0.35) / 0.65, 0, 1)
    return [np.asarray(np.clip(need[..., channel] - 0.7 * black, 0, 1), np.float32) for channel in (2, 1, 0)] + [black]


def _clustered(rng: np.random.Generator, a: int, b: int) -> NDArray[np.float32]:
    """Thresholds whose dots of ink grow round from the corners of a turned square lattice; 107 to 194 lines an inch."""
    coarse = float(rng.uniform(0.75, 1.12))
    side = math.hypot(a, b) * coarse
    cos, sin = a * coarse / side, b * coarse / side
    y, x = np.mgrid[0:_SIZE[1], 0:_SIZE[0]].astype(np.float32)
    u, v = (x * cos + y * sin) / side, (y * cos - x * sin) / side
    u -= np.rint(u)
    v -= np.rint(v)
    share = np.pi * (u * u + v * v)
    return np.asarray(np.clip(share / (np.pi / 2) * 1.35, 0.02, 0.98), np.float32)


def _strewn(rng: np.random.Generator) -> NDArray[np.float32]:
    """Interleaved gradient noise (Jimenez, 2014): drops as an inkjet's driver spreads them, of two printer's dots."""
    y, x = np.mgrid[0:_SIZE[1] // 2 + 1, 0:_SIZE[0] // 2 + 1].astype(np.float64)
    dx, dy = rng.uniform(0, 400, 2)
    value = np.modf(52.9829189 * np.modf(0.06711056 * (x + dx) + 0.00583715 * (y + dy))[0])[0]
    big = value.repeat(2, axis=0).repeat(2, axis=1)[:_SIZE[1], :_SIZE[0]]
    return np.asarray(np.clip(big, 0.01, 1.0), np.float32)


def _table() -> NDArray[np.uint8]:
    """(16, 3) BGR by the bits of cyan, magenta, yellow, black."""
    rows = []
    for bits in range(16):
        colour = np.array(_PRIMARIES["".join(ink for place, ink in enumerate("cmy") if bits >> place & 1)], np.float64)
        rows.append(24 + 0.05 * colour if bits & 8 else colour)
    return np.array(rows).astype(np.uint8)


def cut_out(rng: np.random.Generator, card: Image) -> tuple[Image, Image, str]:
    """A copy cut out by hand: its picture on a rim of paper, the cut's mask, and whether it is `colour` or `grey`.

    The picture covers the card exactly: a rim lies inside, where the scissors left paper or cut a little into the print.
    """
    kind = "colour" if rng.random() < 0.7 else "grey"
    picture = colour_copied(rng, card) if kind == "colour" else photocopied(rng, card)
    h, w = picture.shape[:2]
    scale = w / CARD_MM[0]
    rim = [float(v) * scale for v in rng.uniform(0, 1.4, 4)] if rng.random() < 0.5 else [0.0] * 4
    page = np.full_like(picture, 244)
    inner = (max(8, round(w - rim[0] - rim[2])), max(8, round(h - rim[1] - rim[3])))
    x, y = round(rim[0]), round(rim[1])
    small = cv2.resize(picture, inner, interpolation=cv2.INTER_AREA)[:h - y, :w - x]
    printed = rounded_mask(small.shape[1], small.shape[0], CORNER_RADIUS_MM * scale if any(rim) else 0.0)
    cv2.copyTo(small, printed, page[y:y + small.shape[0], x:x + small.shape[1]])
    radius = CORNER_RADIUS_MM * float(rng.uniform(0.7, 1.1)) if rng.random() < 0.4 else 0.0
    return page, rounded_mask(w, h, radius * scale), kind
