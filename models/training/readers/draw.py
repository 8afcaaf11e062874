"""Ink of training lines: alpha masks (uint8, 255 is full ink) whose capitals have a known height."""

from __future__ import annotations

import random
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ImageFont

from models.specimens.fonts import load
from models.specimens.ocrb import ALPHABET, HEIGHT_MM, PITCH_MM, draw_mrz_line
from models.training.readers.fonts import ocrb_fonts

Mask = NDArray[np.uint8]  # (h, w) alpha
PENS = (0.75, 1.0, 1.25)
GLYPH_PX = 28
"""Height of an MRZ digit in its cached drawing."""
_ROOM = 8
"""Rows above and below a digit in a cached MRZ glyph."""


def mrz_ink(text: str, rng: random.Random) -> Mask:
    """One machine-readable line; digits GLYPH_PX high with _ROOM rows above and below. Own strokes, or a Debian OCR-B."""
    styles = len(PENS) + len(ocrb_fonts())
    atlas = _atlas(rng.randrange(styles))
    return np.concatenate([atlas[letter] for letter in text], axis=1)


@lru_cache(maxsize=16)
def _atlas(style: int) -> dict[str, Mask]:
    if style < len(PENS):
        room = ((_ROOM, _ROOM), (0, 0))
        return {letter: np.pad(255 - draw_mrz_line(letter, GLYPH_PX, PENS[style]), room) for letter in ALPHABET}
    return _font_atlas(ocrb_fonts()[style - len(PENS)])


def _font_atlas(path: Path) -> dict[str, Mask]:
    font = load(path, _size_for(path, GLYPH_PX, "0"))
    pitch = round(GLYPH_PX * PITCH_MM / HEIGHT_MM)
    bottom = font.getbbox("0", anchor="ls")[3]
    atlas = {}
    for letter in ALPHABET:
        ink, (left, up) = _render(font, letter)
        cell = np.zeros((GLYPH_PX + 2 * _ROOM, pitch), np.uint8)
        advance = font.getlength(letter)
        x = round((pitch - advance) / 2) + left
        y = _ROOM + round(GLYPH_PX - bottom) + up
        _paste(cell, ink, x, y)
        atlas[letter] = cell
    return atlas


def _paste(cell: Mask, ink: Mask, x: int, y: int) -> None:
    y0, x0 = max(y, 0), max(x, 0)
    y1, x1 = min(y + ink.shape[0], cell.shape[0]), min(x + ink.shape[1], cell.shape[1])
    if y1 > y0 and x1 > x0:
        cell[y0:y1, x0:x1] = ink[y0 - y:y1 - y, x0 - x:x1 - x]


def field_ink(text: str, path: Path, rng: random.Random) -> tuple[Mask, int, int]:
    """One printed line. Returns the mask, the row of the capitals' top and their height in pixels."""
    font = load(path, _size_for(path, rng.choice((20, 24, 30)), "H"))
    spacing = rng.choice((0, 0, 0, 0, 0, 1, 2, 3))
    if rng.random() < 0.15:
        text = text.replace(" ", "  ")
    if spacing and len(text) > 1:
        ink, up = _spaced(font, text, spacing)
    else:
        ink, (_, up) = _render(font, text)
    cap = -font.getbbox("H", anchor="ls")[1]
    return ink, int(-cap - up), int(cap)


def labelled_ink(label: str, value: str, path: Path, rng: random.Random) -> tuple[Mask, int, int]:
    """A small label and its larger value on one base line, as `field_ink` gives them; a space's width or more between."""
    ink, top, cap = field_ink(value, path, rng)
    small, small_top, small_cap = field_ink(label, path, rng)
    scale = rng.uniform(0.55, 0.8) * cap / small_cap
    small = resize_mask(small, round(small.shape[1] * scale), round(small.shape[0] * scale))
    up = top + cap - round((small_top + small_cap) * scale) + rng.randint(-2, 2)
    rise = max(-up, 0)
    gap = round(cap * rng.uniform(0.3, 1.3))
    height = max(rise + ink.shape[0], rise + up + small.shape[0])
    canvas = np.zeros((height, small.shape[1] + gap + ink.shape[1]), np.uint8)
    canvas[rise + up:rise + up + small.shape[0], :small.shape[1]] = small
    canvas[rise:rise + ink.shape[0], small.shape[1] + gap:] = ink
    return canvas, rise + top, cap


def _spaced(font: ImageFont.FreeTypeFont, text: str, spacing: int) -> tuple[Mask, int]:
    """Letter by letter with `spacing` pixels more between them."""
    parts = [(_render(font, letter), font.getlength(letter)) for letter in text]
    highest = min(up for (_, (_, up)), _ in parts)
    lowest = max(up + ink.shape[0] for (ink, (_, up)), _ in parts)
    width = int(sum(advance + spacing for _, advance in parts)) + 8
    canvas = np.zeros((lowest - highest, width), np.uint8)
    x = 2.0
    for (ink, (left, up)), advance in parts:
        y, at = up - highest, round(x) + left
        if ink.size and at >= 0:
            area = canvas[y:y + ink.shape[0], at:at + ink.shape[1]]
            np.maximum(area, ink[:, :area.shape[1]], out=area)
        x += advance + spacing
    return canvas, highest


def _render(font: ImageFont.FreeTypeFont, text: str) -> tuple[Mask, tuple[int, int]]:
    """Mask and its offset (left, up) from the pen's start on the base line."""
    mask, offset = font.getmask2(text, mode="L", anchor="ls")
    width, height = mask.size
    if width == 0 or height == 0:
        return np.zeros((1, 1), np.uint8), (0, 0)
    return np.array(mask, dtype=np.uint8).reshape(height, width), (int(offset[0]), int(offset[1]))


@lru_cache(maxsize=512)
def _size_for(path: Path, capital_px: int, letter: str) -> int:
    """The em size at which a letter of this face is `capital_px` high."""
    box = load(path, 200).getbbox(letter, anchor="ls")
    return max(8, round(200 * capital_px / (box[3] - box[1])))


def resize_mask(mask: Mask, width: int, height: int) -> Mask:
    return np.asarray(cv2.resize(mask, (max(width, 1), max(height, 1)), interpolation=cv2.INTER_AREA), dtype=np.uint8)
