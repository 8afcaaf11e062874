"""The 37 characters of a machine-readable zone, drawn by strokes after the shapes of ISO 1073-2 (OCR-B, size I).

Each glyph is the centre line of a round pen, on a grid of our own: x 0..100, y down, 0 the top of the digits, 14 the top
of the capitals, 168 the base line. The proportions are those of size I: pen 0.35 mm, digits 2.69 mm high over the ink,
one character each 2.54 mm (ICAO 9303-3).
"""

from __future__ import annotations

import math
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

ALPHABET = "<0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
PITCH_MM = 2.54
HEIGHT_MM = 2.69
"""Ink height of a digit: centre line 2.34 mm and the pen."""
PEN_MM = 0.35

_GRID_MM = (HEIGHT_MM - PEN_MM) / 168
_CURVE_STEPS = 24
_FINE_PX = 64
"""Lines lower than this are drawn four times as large before they are scaled down, others twice."""

_STROKES = {
    "0": "M50 0 C92 0 100 30 100 84 C100 138 92 168 50 168 C8 168 0 138 0 84 C0 30 8 0 50 0",
    "1": "M12 40 L58 0 L67 0 L67 168",
    "2": "M4 14 C16 4 30 0 48 0 C78 0 96 16 96 44 C96 72 78 86 52 100 C22 116 6 128 6 150 L6 168 L100 168",
    "3": "M2 0 L94 0 L36 70 C78 70 98 90 98 120 C98 152 74 168 48 168 C28 168 12 164 0 156",
    "4": "M56 0 L0 112 L0 122 L104 122 M76 84 L76 168",
    "5": "M92 0 L16 0 L12 70 C20 68 28 67 38 67 C70 67 94 82 94 114 C94 150 60 168 6 168",
    "6": "M72 0 C40 36 2 70 2 116 C2 148 22 168 50 168 C80 168 100 148 100 118 C100 88 80 70 52 70 C26 70 4 88 2 116",
    "7": "M0 0 L101 0 C101 30 88 46 70 68 C48 94 35 120 35 168",
    "8": "M50 0 C80 0 94 14 94 38 C94 60 74 68 50 78 C22 90 0 100 0 128 C0 154 18 168 50 168 "
         "C82 168 100 154 100 128 C100 100 78 90 50 78 C26 68 6 60 6 38 C6 14 20 0 50 0",
    "9": "M98 52 C96 80 74 98 48 98 C20 98 0 80 0 50 C0 20 20 0 50 0 C78 0 98 20 98 52 C98 98 60 132 32 168",
    "<": "M102 18 L3 84 L102 150",
    "A": "M2 168 L43 14 L57 14 L98 168 M16 118 L84 118",
    "B": "M5 88 L55 88 C80 88 97 78 97 52 C97 25 80 14 55 14 L5 14 L5 168 L55 168 C80 168 103 155 103 128 "
         "C103 100 80 88 55 88",
    "C": "M92 40 C88 22 74 14 58 14 C25 14 10 50 10 91 C10 132 25 168 58 168 C74 168 88 158 92 138",
    "D": "M10 14 L10 168 L20 168 C60 168 98 140 98 91 C98 42 60 14 20 14 L10 14",
    "E": "M98 14 L5 14 L5 168 L98 168 M5 91 L85 91",
    "F": "M98 14 L12 14 L12 168 M12 91 L85 91",
    "G": "M95 38 C88 22 74 14 56 14 C22 14 5 50 5 91 C5 135 22 168 58 168 C74 168 88 164 97 155 L97 98 L58 98",
    "H": "M8 14 L8 168 M92 14 L92 168 M8 91 L92 91",
    "I": "M16 14 L84 14 M50 14 L50 168 M12 168 L88 168",
    "J": "M88 14 L88 128 C88 152 74 168 52 168 C28 168 14 152 14 124",
    "K": "M8 14 L8 168 M96 14 L8 104 M38 75 L98 168",
    "L": "M8 14 L8 168 L100 168",
    "M": "M0 168 L0 14 L13 14 L50 112 L87 14 L100 14 L100 168",
    "N": "M6 168 L6 14 L20 14 L82 168 L94 168 L94 14",
    "O": "M50 14 C80 14 102 48 102 91 C102 134 80 168 50 168 C20 168 -2 134 -2 91 C-2 48 20 14 50 14",
    "P": "M8 168 L8 14 L58 14 C85 14 103 28 103 57 C103 87 85 102 55 102 L8 102",
    "Q": "M50 14 C78 14 97 40 97 82 C97 122 78 154 48 154 C18 154 0 128 0 82 C0 40 20 14 50 14 M52 104 L102 168",
    "R": "M8 168 L8 14 L55 14 C82 14 98 24 98 54 C98 84 82 98 55 98 L8 98 M55 98 L97 168",
    "S": "M92 42 C86 22 72 14 52 14 C26 14 11 28 11 50 C11 76 32 82 52 90 C76 99 94 108 94 132 "
         "C94 154 76 168 52 168 C28 168 14 154 10 132",
    "T": "M0 14 L100 14 M50 14 L50 168",
    "U": "M8 14 L8 125 C8 152 24 168 50 168 C76 168 92 152 92 125 L92 14",
    "V": "M2 14 L43 168 L57 168 L98 14",
    "W": "M0 14 C2 80 8 130 16 168 L28 168 L50 88 L72 168 L84 168 C92 130 98 80 100 14",
    "X": "M13 14 L95 168 M87 14 L5 168",
    "Y": "M4 14 L50 98 L96 14 M50 98 L50 168",
    "Z": "M10 14 L93 14 L8 168 L95 168",
}


def draw_mrz_line(text: str, height_px: int, pen: float = 1.0) -> NDArray[np.uint8]:
    """One line, black on white, (height_px, round(len(text) · height_px · 2.54 / 2.69)) grey uint8.

    The digits' ink touches the upper and the lower edge; each character is centred in its pitch. `pen` scales the
    stroke (0.7 thin to 1.4 fat print). Raises `ValueError` for a character outside `ALPHABET`.
    """
    if not text or not set(text) <= set(ALPHABET):
        raise ValueError("a machine-readable line holds only the digits, A to Z and <")
    oversampling = 4 if height_px < _FINE_PX else 2
    scale = height_px * oversampling
    width = round(len(text) * height_px * PITCH_MM / HEIGHT_MM)
    canvas = np.full((scale, width * oversampling), 255, np.uint8)
    thickness = max(1, round(scale * pen * PEN_MM / HEIGHT_MM))
    for index, character in enumerate(text):
        left = int(index * scale * PITCH_MM / HEIGHT_MM)
        cell = canvas[:, left:left + _cell_width(scale)]
        np.minimum(cell, _glyph(character, scale, thickness)[:, :cell.shape[1]], out=cell)
    return np.asarray(cv2.resize(canvas, (width, height_px), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _cell_width(scale: int) -> int:
    return math.ceil(scale * PITCH_MM / HEIGHT_MM)


@lru_cache(maxsize=512)
def _glyph(character: str, scale: int, thickness: int) -> NDArray[np.uint8]:
    """One character, black on white, `scale` high over the digits' ink; not to be written to."""
    unit = scale * _GRID_MM / HEIGHT_MM
    cell = np.full((scale, _cell_width(scale)), 255, np.uint8)
    for stroke in _centre_lines(character):
        points = stroke * unit + ((scale * PITCH_MM / HEIGHT_MM - 100 * unit) / 2, scale * PEN_MM / HEIGHT_MM / 2)
        fixed = np.round(points * 16).astype(np.int32).reshape(-1, 1, 2)
        cv2.polylines(cell, [fixed], False, 0, thickness, cv2.LINE_AA, shift=4)
    cell.flags.writeable = False
    return cell


@lru_cache(maxsize=len(ALPHABET))
def _centre_lines(character: str) -> tuple[NDArray[np.float64], ...]:
    """The pen's ways as polylines (N, 2) on the grid."""
    lines: list[list[NDArray[np.float64]]] = []
    words = _STROKES[character].split()
    position = 0
    while position < len(words):
        command = words[position][0]
        count = 6 if command == "C" else 2
        numbers = [float(word.lstrip("MLC")) for word in words[position:position + count]]
        points = np.array(numbers).reshape(-1, 2)
        position += count
        if command == "M":
            lines.append([points])
        elif command == "L":
            lines[-1].append(points)
        else:
            lines[-1].append(_cubic(lines[-1][-1][-1], points))
    return tuple(np.concatenate(line) for line in lines)


def _cubic(start: NDArray[np.float64], controls: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points of a cubic Bézier curve after its start."""
    t = np.linspace(0, 1, _CURVE_STEPS + 1)[1:, None]
    a, b, end = controls
    return np.asarray((1 - t) ** 3 * start + 3 * (1 - t) ** 2 * t * a + 3 * (1 - t) * t ** 2 * b + t ** 3 * end)
