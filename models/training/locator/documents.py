"""Random cards and sheets, flat: what the locator must find whatever is printed on it."""

from __future__ import annotations

import string

import cv2
import numpy as np
from numpy.typing import NDArray

from models.training.locator.textures import Image, Rng, patch, random_colour

ID1_RATIO = 85.60 / 53.98
"""ISO/IEC 7810 ID-1."""
PAGE_RATIOS = (1.294, 1.414, 1.42, 1.5, 1.0, 1.75)
"""Letter, ISO 216, TD3, photograph, square, slip."""
_FONTS = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_COMPLEX_SMALL, cv2.FONT_HERSHEY_PLAIN)


def draw_card(rng: Rng, photos: list[Image], ratio: float, height: int = 200) -> tuple[Image, NDArray[np.float32]]:
    """One document: (h, w, 3) BGR and its coverage (h, w) in 0..1, with rounded corners where it is a card."""
    width = round(height * ratio)
    card = _base(rng, photos, height, width)
    if rng.random() < 0.45:
        _guilloche(rng, card)
    marks = [_header, _portrait, _text_block, _text_block, _text_block, _code, _stripe, _frame, _blob, _mrz]
    if rng.random() < 0.06:
        marks = []
    for mark in marks:
        if rng.random() < 0.6:
            mark(rng, card, photos)
    if rng.random() < 0.25:
        tint = random_colour(rng).tolist()
        cv2.rectangle(card, (0, 0), (width - 1, height - 1), tint, int(rng.integers(1, 5)))
    radius = height * rng.choice([3.18 / 53.98, 0.0, rng.uniform(0, 0.09)], p=[0.7, 0.1, 0.2])
    return card, _coverage(height, width, radius)


def draw_page(rng: Rng, photos: list[Image], height: int = 220) -> tuple[Image, NDArray[np.float32], float]:
    """A sheet, booklet page or receipt with print: picture, coverage, long over short side."""
    ratio = float(rng.choice(PAGE_RATIOS)) * rng.uniform(0.95, 1.05)
    width = round(height * ratio)
    page = np.empty((height, width, 3), np.uint8)
    page[:] = random_colour(rng, 150, 255, 20) if rng.random() < 0.85 else random_colour(rng)
    turned = np.ascontiguousarray(np.rot90(page)) if rng.random() < 0.7 else page
    for mark in (_header, _text_block, _text_block, _text_block, _portrait, _text_block, _frame, _text_block):
        if rng.random() < 0.6:
            mark(rng, turned, photos)
    page = np.ascontiguousarray(np.rot90(turned, -1)) if turned.shape != page.shape else turned
    if rng.random() < 0.15:
        x = width // 2
        page[:, x - 2:x + 2] = (page[:, x - 2:x + 2] * rng.uniform(0.5, 0.9)).astype(np.uint8)
    return page, _coverage(page.shape[0], page.shape[1], 0.0), page.shape[1] / page.shape[0]


def _coverage(height: int, width: int, radius: float) -> NDArray[np.float32]:
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    dx = np.maximum(np.abs(x - (width - 1) / 2) - (width / 2 - radius), 0)
    dy = np.maximum(np.abs(y - (height - 1) / 2) - (height / 2 - radius), 0)
    return np.asarray(np.clip(radius - np.hypot(dx, dy) + 0.5, 0, 1) if radius > 0.6 else np.ones_like(x), dtype=np.float32)


def _base(rng: Rng, photos: list[Image], height: int, width: int) -> Image:
    kind = rng.choice(["white", "pastel", "dark", "any", "photo"], p=[0.3, 0.35, 0.12, 0.15, 0.08])
    if kind == "photo":
        return patch(rng, photos, height, width)
    low, high, spread = {"white": (215, 255, 8), "pastel": (150, 240, 40), "dark": (5, 80, 25), "any": (0, 255, 80)}[str(kind)]
    first, second = random_colour(rng, low, high, spread), random_colour(rng, low, high, spread)
    ramp = np.linspace(0, 1, width, dtype=np.float32)[None, :, None] * np.ones((height, 1, 1), np.float32)
    return np.asarray(first * (1 - ramp) + second * ramp, dtype=np.uint8)


def _guilloche(rng: Rng, card: Image) -> None:
    height, width = card.shape[:2]
    x = np.linspace(0, width, 60)
    tint = np.clip(card.mean((0, 1)) + rng.uniform(-60, 60, 3), 0, 255).tolist()
    phase, wave, lift = rng.uniform(0, 6), rng.uniform(20, 90), rng.uniform(3, 30)
    for step in range(int(rng.integers(8, 30))):
        y = height * step / 20 + lift * np.sin(x / wave + phase + step * 0.2)
        cv2.polylines(card, [np.stack([x, y], 1).astype(np.int32)], False, tint, 1, cv2.LINE_AA)


def _header(rng: Rng, card: Image, _photos: list[Image]) -> None:
    height, width = card.shape[:2]
    bar = int(height * rng.uniform(0.08, 0.25))
    if rng.random() < 0.5:
        card[:bar] = random_colour(rng)
    ink = random_colour(rng).tolist()
    place = (int(width * rng.uniform(0.05, 0.3)), int(bar * 0.75))
    cv2.putText(card, _words(rng, 24), place, int(rng.choice(_FONTS)), bar / 48, ink, 1, cv2.LINE_AA)


def _portrait(rng: Rng, card: Image, photos: list[Image]) -> None:
    height, width = card.shape[:2]
    h = int(height * rng.uniform(0.3, 0.72))
    w = min(int(h * rng.uniform(0.7, 1.0)), width - 2)
    x, y = int(rng.uniform(0.02, 1) * (width - w)), int(rng.uniform(0.1, 0.9) * (height - h))
    picture = patch(rng, photos, h, w)
    if rng.random() < 0.3:
        picture = (picture * 0.4 + card[y:y + h, x:x + w] * 0.6).astype(np.uint8)
    card[y:y + h, x:x + w] = picture


def _words(rng: Rng, length: int) -> str:
    letters = string.ascii_uppercase + string.digits + "    "
    return "".join(rng.choice(list(letters), length))


def _text_block(rng: Rng, card: Image, _photos: list[Image]) -> None:
    height, width = card.shape[:2]
    ink = np.clip(card.mean((0, 1)) + rng.choice([-1, -1, -1, 1]) * rng.uniform(60, 200), 0, 255).tolist()
    size, font = float(rng.uniform(0.25, 0.6)), int(rng.choice(_FONTS))
    x, y = int(width * rng.uniform(0.02, 0.6)), int(height * rng.uniform(0.1, 0.8))
    for _ in range(int(rng.integers(1, 7))):
        cv2.putText(card, _words(rng, int(rng.integers(4, 30))), (x, y), font, size, ink, 1, cv2.LINE_AA)
        y += int(size * 40)


def _code(rng: Rng, card: Image, _photos: list[Image]) -> None:
    height, width = card.shape[:2]
    side = int(height * rng.uniform(0.2, 0.5))
    wide = min(side * int(rng.choice([1, 1, 3])), width - 2)
    modules = int(rng.integers(15, 50))
    grid = rng.integers(0, 2, (modules, max(1, modules * wide // side))).astype(np.uint8) * 255
    if rng.random() < 0.3:
        grid[:] = grid[:1]
    code = cv2.resize(grid, (wide, side), interpolation=cv2.INTER_AREA)
    x, y = int(rng.uniform(0, 1) * (width - wide)), int(rng.uniform(0, 1) * (height - side))
    card[y:y + side, x:x + wide] = code[..., None]


def _stripe(rng: Rng, card: Image, _photos: list[Image]) -> None:
    height = card.shape[0]
    y, h = int(height * rng.uniform(0, 0.8)), int(height * rng.uniform(0.03, 0.25))
    card[y:y + h] = random_colour(rng)


def _frame(rng: Rng, card: Image, _photos: list[Image]) -> None:
    """A rectangle inside the edge: what a locator must not take for the edge itself."""
    height, width = card.shape[:2]
    inset = int(height * rng.uniform(0.02, 0.16))
    cv2.rectangle(card, (inset, inset), (width - inset, height - inset), random_colour(rng).tolist(), int(rng.integers(1, 4)))


def _blob(rng: Rng, card: Image, _photos: list[Image]) -> None:
    height, width = card.shape[:2]
    centre = (int(width * rng.random()), int(height * rng.random()))
    axes = (int(height * rng.uniform(0.05, 0.3)), int(height * rng.uniform(0.05, 0.3)))
    cv2.ellipse(card, centre, axes, float(rng.uniform(0, 180)), 0, 360, random_colour(rng).tolist(), -1, cv2.LINE_AA)


def _mrz(rng: Rng, card: Image, _photos: list[Image]) -> None:
    height, width = card.shape[:2]
    card[int(height * 0.68):] = np.clip(card[int(height * 0.68):].astype(np.int16) + 25, 0, 255).astype(np.uint8)
    for line in range(3):
        text = "".join(rng.choice(list(string.ascii_uppercase + "0123456789<<<<<<"), 30))
        place = (int(width * 0.03), int(height * (0.77 + 0.09 * line)))
        cv2.putText(card, text, place, cv2.FONT_HERSHEY_PLAIN, width / 330, (20, 20, 20), 1, cv2.LINE_AA)
