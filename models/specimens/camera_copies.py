"""Cards that are not there themselves: toner on paper, and a picture of a card on a screen or a phone."""

from __future__ import annotations

import cv2
import numpy as np

from models.specimens.backgrounds import noise
from models.specimens.backgrounds_clutter import rounded_mask
from pipeline.networks.api import Image
from pipeline.stages.geometry import CARD_MM

_SUBPIXELS = 3


def photocopied(rng: np.random.Generator, card: Image) -> Image:
    """A grey copy of a card side at its own size: toner's steep curve, speckle, streaks along the drum. BGR, grey."""
    h, w = card.shape[:2]
    scale = w / CARD_MM[0]
    grey = cv2.GaussianBlur(cv2.cvtColor(card, cv2.COLOR_BGR2GRAY), (0, 0), 0.06 * scale).astype(np.float32) / 255
    steep, middle = float(rng.uniform(5, 9)), float(rng.uniform(0.42, 0.6))
    tone = 1 / (1 + np.exp(-steep * (grey - middle)))
    tone = 0.10 + 0.86 * tone
    tone += 0.05 * noise(rng, w, h, (0.12 * scale,) * 2, 1) * (1 - np.abs(2 * tone - 1))
    tone += 0.02 * noise(rng, w, h, (60 * scale, 0.8 * scale), 1)
    specks = rng.random((h // 8, w // 8), np.float32) < 0.0015
    tone -= 0.5 * cv2.resize(specks.astype(np.float32), (w, h), interpolation=cv2.INTER_LINEAR)
    cover = rounded_mask(w, h, 3.18 * scale).astype(np.float32) / 255
    paper = 0.955
    tone = paper * (1 - cover) + np.minimum(tone, paper) * cover
    # the lid leaves a thin shadow round the card's edge
    rim = cv2.GaussianBlur(cover, (0, 0), 0.25 * scale)
    tone -= 0.25 * np.clip(1 - np.abs(2 * rim - 1), 0, 1)
    return np.asarray(cv2.cvtColor(np.clip(tone * 255, 0, 255).astype(np.uint8), cv2.COLOR_GRAY2BGR), np.uint8)


def sheet_around(rng: np.random.Generator, px_per_mm: float) -> tuple[Image, tuple[float, float]]:
    """The paper that a copy is printed on, and where on it the card's centre lies (pixels)."""
    left, right, top, bottom = (float(v) for v in rng.uniform(8, 45, 4))
    size = round((CARD_MM[0] + left + right) * px_per_mm), round((CARD_MM[1] + top + bottom) * px_per_mm)
    curl = 0.012 * noise(rng, size[0], size[1], (60 * px_per_mm,) * 2, 2)
    page = np.clip(243 * (1 + curl[..., None]), 0, 255).astype(np.uint8).repeat(3, axis=2)
    return page, ((left + CARD_MM[0] / 2) * px_per_mm, (top + CARD_MM[1] / 2) * px_per_mm)


def on_screen(rng: np.random.Generator, card: Image) -> tuple[Image, float]:
    """The card as a screen shows it: each of its pixels three stripes of red, green, blue with dark gaps.

    Laptops have 4 to 5 pixels a millimetre and people enlarge the card there: 380 to 820 pixels across it.
    Returns the texture (BGR, three texels a screen pixel) and the screen's pixels across the card. Photographed without a
    filter before sampling, its grid beats with the sensor's: moire.
    """
    across = int(rng.integers(380, 820))
    down = round(across * card.shape[0] / card.shape[1])
    small = cv2.resize(card, (across, down), interpolation=cv2.INTER_AREA).astype(np.float32)
    small = np.clip((small * np.array([1.06, 1.0, 0.94], np.float32)) * 0.92 + 10, 0, 255)
    big = cv2.resize(small, (across * _SUBPIXELS, down * _SUBPIXELS), interpolation=cv2.INTER_NEAREST)
    # stripes leak a third of their neighbours' light, and the picture keeps its mean brightness
    leak, gap = float(rng.uniform(0.35, 0.6)), float(rng.uniform(0.55, 0.8))
    stripe = np.full((_SUBPIXELS, 3), leak, np.float32)
    for column, channel in enumerate((2, 1, 0)):
        stripe[column, channel] = 1.0
    pattern = np.tile(stripe, (across, 1))[None] * np.tile(np.array([1, 1, gap], np.float32), down)[:, None, None]
    return np.clip(big * pattern / pattern.mean() * 0.9, 0, 255).astype(np.uint8), float(across)


def device_around(rng: np.random.Generator, px_per_mm: float) -> tuple[Image, Image, tuple[float, float]]:
    """A tablet or laptop whose screen is larger than the card: picture, mask, and the card's centre on it (pixels)."""
    sides = rng.uniform(6, 70, 4)
    bezel = float(rng.uniform(4, 14))
    width, height = CARD_MM[0] + sides[0] + sides[1], CARD_MM[1] + sides[2] + sides[3]
    w, h, rim = round((width + 2 * bezel) * px_per_mm), round((height + 2 * bezel) * px_per_mm), round(bezel * px_per_mm)
    picture = np.full((h, w, 3), float(rng.uniform(10, 35)), np.uint8)
    # white behind its stripes is about as bright as the card's picture through them
    ground = rng.uniform(178, 192) + rng.uniform(-5, 9, 3) if rng.random() < 0.5 else rng.uniform(22, 60) + rng.uniform(-4, 4, 3)
    picture[rim:h - rim, rim:w - rim] = ground.astype(np.uint8)
    bar = round(5 * px_per_mm)
    picture[rim:rim + bar, rim:w - rim] = np.clip(ground * 0.85 + 8, 0, 255).astype(np.uint8)
    centre = ((bezel + sides[0] + CARD_MM[0] / 2) * px_per_mm, (bezel + sides[2] + CARD_MM[1] / 2) * px_per_mm)
    return picture, rounded_mask(w, h, 5 * px_per_mm), (float(centre[0]), float(centre[1]))


def on_phone(rng: np.random.Generator, card: Image, px_per_mm: float) -> tuple[Image, float]:
    """The card over the width of a phone's OLED screen: a green dot in each pixel, red and blue in every other one.

    px_per_mm: of the photo. Its pixels gather light over their own square, so the texture is softened by a third of one
    before it is sampled: what is left of the grid is faint, and beats slowly. Returns as `on_screen`.
    """
    across = int(rng.integers(1000, 1750))
    down = round(across * card.shape[0] / card.shape[1])
    small = cv2.resize(card, (across, down), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    warmth = float(rng.uniform(-0.03, 0.10))
    vivid = float(rng.uniform(1.0, 1.35))
    grey = small.mean(axis=2, keepdims=True)
    light = np.clip(grey + (small - grey) * vivid, 0, 1) * np.array([1 + warmth, 1.0, 1 - 0.7 * warmth], np.float32)
    light = 0.005 + float(rng.uniform(0.78, 0.95)) * light
    cell = np.full((2 * _SUBPIXELS, 2 * _SUBPIXELS, 3), 0.12, np.float32)
    cell[0::3, 0, 1] = cell[0::3, 3, 1] = 1.0
    cell[1:3, 1:3, 2] = cell[4:6, 4:6, 2] = 0.9
    cell[1:3, 4:6, 0] = cell[4:6, 1:3, 0] = 0.9
    tiles = (down // 2 + 1, across // 2 + 1)
    pattern = np.tile(cell / cell.mean(axis=(0, 1)), (*tiles, 1))[:down * _SUBPIXELS, :across * _SUBPIXELS]
    big = cv2.resize(light, (across * _SUBPIXELS, down * _SUBPIXELS), interpolation=cv2.INTER_NEAREST)
    sigma = across * _SUBPIXELS / (CARD_MM[0] * px_per_mm) / 3
    soft = cv2.GaussianBlur(np.clip(big * pattern, 0, 4), (0, 0), max(0.3, sigma))
    return np.clip(soft * 235, 0, 255).astype(np.uint8), float(across)


def phone_around(rng: np.random.Generator, px_per_mm: float) -> tuple[Image, Image, tuple[float, float]]:
    """A phone held sideways whose screen is hardly higher than the card that it shows; as `device_around`."""
    top, bottom, left, right = (float(v) for v in rng.uniform((0, 0, 2, 2), (4, 4, 30, 30)))
    bezel = float(rng.uniform(1.5, 4))
    width, height = CARD_MM[0] + left + right, CARD_MM[1] + top + bottom
    w, h, rim = round((width + 2 * bezel) * px_per_mm), round((height + 2 * bezel) * px_per_mm), round(bezel * px_per_mm)
    picture = np.full((h, w, 3), float(rng.uniform(8, 30)), np.uint8)
    ground = float(rng.choice([3.0, 25.0, 205.0]))
    picture[rim:h - rim, rim:w - rim] = np.array([ground + 6, ground, max(0.0, ground - 4)]).astype(np.uint8)
    centre = bezel + left + CARD_MM[0] / 2, bezel + top + CARD_MM[1] / 2
    return picture, rounded_mask(w, h, 8 * px_per_mm), (centre[0] * px_per_mm, centre[1] * px_per_mm)
