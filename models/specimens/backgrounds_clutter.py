"""Things that lie about on a desk, seen from straight above, each with its own shadow: drawn into a surface in place."""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np

from models.specimens.backgrounds import noise
from pipeline.networks.api import Image
from pipeline.stages.geometry import CARD_MM

_SYLLABLES = ("la", "cion", "de", "pro", "mi", "en", "tra", "por", "los", "ca", "ri", "mo", "ten",
              "to", "se", "par", "es", "nu", "do", "vi")

Thing = Callable[[np.random.Generator, float], tuple[Image, Image]]
"""(rng, px_per_mm) -> its picture BGR and its mask 0/255, of one size."""


def scatter(rng: np.random.Generator, desk: Image, px_per_mm: float, count: int, *, centre: tuple[float, float],
            keep_out: float, kinds: tuple[str, ...] | None = None) -> list[str]:
    """Lays `count` things round `centre` (desk pixels), none nearer than `keep_out` pixels; returns what was laid."""
    laid = []
    for _ in range(count):
        kind = str(rng.choice(kinds or tuple(THINGS)))
        picture, mask = THINGS[kind](rng, px_per_mm)
        picture, mask = turned(picture, mask, float(rng.uniform(0, 360)))
        reach = keep_out + math.hypot(*picture.shape[:2]) / 2 * float(rng.uniform(0.62, 1.1))
        angle = float(rng.uniform(0, 2 * math.pi))
        at = (centre[0] + math.cos(angle) * reach, centre[1] + math.sin(angle) * reach)
        lay(desk, picture, mask, at, shadow=0.8 * px_per_mm)
        laid.append(kind)
    return laid


def turned(picture: Image, mask: Image, angle: float) -> tuple[Image, Image]:
    """Turned by `angle` degrees, on a larger canvas."""
    h, w = mask.shape
    cos, sin = abs(math.cos(math.radians(angle))), abs(math.sin(math.radians(angle)))
    size = (math.ceil(h * sin + w * cos) + 2, math.ceil(h * cos + w * sin) + 2)
    move = cv2.getRotationMatrix2D(((w - 1) / 2, (h - 1) / 2), angle, 1.0)
    move[:, 2] += [(size[0] - w) / 2, (size[1] - h) / 2]
    return (np.asarray(cv2.warpAffine(picture, move, size, borderMode=cv2.BORDER_REPLICATE), np.uint8),
            np.asarray(cv2.warpAffine(mask, move, size), np.uint8))


def lay(desk: Image, picture: Image, mask: Image, at: tuple[float, float], shadow: float) -> None:
    """Composes a thing centred `at` with a soft shadow of `shadow` pixels, clipped to the desk, in place."""
    h, w = mask.shape
    pad = math.ceil(3 * shadow) + 2
    left, top = round(at[0] - w / 2), round(at[1] - h / 2)
    cover = cv2.copyMakeBorder(mask, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=0)
    dark = cv2.GaussianBlur(np.roll(cover, (round(shadow), round(0.6 * shadow)), (0, 1)), (0, 0), max(0.8, shadow))
    grown = cv2.copyMakeBorder(picture, pad, pad, pad, pad, cv2.BORDER_REPLICATE)
    x0, y0 = max(0, left - pad), max(0, top - pad)
    x1, y1 = min(desk.shape[1], left + w + pad), min(desk.shape[0], top + h + pad)
    if x1 <= x0 or y1 <= y0:
        return
    window = slice(y0 - top + pad, y1 - top + pad), slice(x0 - left + pad, x1 - left + pad)
    ground = desk[y0:y1, x0:x1].astype(np.float32) * (1 - 0.5 * dark[window][..., None] / 255)
    alpha = cover[window][..., None].astype(np.float32) / 255
    desk[y0:y1, x0:x1] = (ground * (1 - alpha) + grown[window].astype(np.float32) * alpha).astype(np.uint8)


def rounded_mask(width: int, height: int, radius: float) -> Image:
    """A filled rounded rectangle, 0/255, with smooth rims: (height, width)."""
    mask = np.full((height, width), 255, np.uint8)
    reach = min(int(np.ceil(radius)) + 1, height // 2, width // 2)
    # distance of pixel centres from the arc's own centre, `radius` in from both sides
    inward = np.maximum(radius - (np.arange(reach, dtype=np.float32) + 0.5), 0)
    corner = (np.clip(radius - np.hypot(inward[None], inward[:, None]) + 0.5, 0, 1) * 255).astype(np.uint8)
    mask[:reach, :reach], mask[:reach, width - reach:] = corner, corner[:, ::-1]
    mask[height - reach:, :reach], mask[height - reach:, width - reach:] = corner[::-1], corner[::-1, ::-1]
    return mask


def _filled(width: int, height: int, colour: tuple[float, ...]) -> Image:
    return np.full((height, width, 3), np.clip(colour, 0, 255), np.uint8)


def sheet(rng: np.random.Generator, px_per_mm: float) -> tuple[Image, Image]:
    """A printed page, or a part of one, with a heading and lines of text."""
    w, h = round(float(rng.uniform(100, 215)) * px_per_mm), round(float(rng.uniform(130, 280)) * px_per_mm)
    page = _filled(w, h, tuple(rng.uniform(222, 248) + rng.uniform(-4, 4, 3)))
    write_lines(rng, page, px_per_mm)
    return page, np.full((h, w), 255, np.uint8)


def write_lines(rng: np.random.Generator, page: Image, px_per_mm: float) -> None:
    """Fills a page with lines of invented words, in place; below 2 px of letter height they are grey bars, as they look."""
    h, w = page.shape[:2]
    margin, pitch = 14 * px_per_mm, float(rng.uniform(4.5, 6.5)) * px_per_mm
    ink = tuple(float(v) for v in rng.uniform(20, 80) + rng.uniform(-8, 8, 3))
    scale, y = pitch * 0.5 / 22, margin + pitch
    while y < h - margin:
        if rng.random() < 0.12:
            y += pitch
            continue
        words, length = [], 0
        while length * scale * 18 < (w - 2 * margin) * float(rng.uniform(0.9, 1.0)):
            words.append("".join(rng.choice(_SYLLABLES, int(rng.integers(1, 5)))))
            length += len(words[-1]) + 1
        if scale * 22 < 3:
            cv2.line(page, (round(margin), round(y)), (round(w - margin), round(y)), (165, 165, 165), max(1, round(pitch * 0.3)))
        else:
            cv2.putText(page, " ".join(words), (round(margin), round(y)), cv2.FONT_HERSHEY_COMPLEX, scale, ink,
                        max(1, round(scale * 1.6)), cv2.LINE_AA)
        y += pitch


def bank_card(rng: np.random.Generator, px_per_mm: float) -> tuple[Image, Image]:
    """Another ID-1 card: a chip, a number, a name, a coloured ground. Not a credential."""
    w, h = round(CARD_MM[0] * px_per_mm), round(CARD_MM[1] * px_per_mm)
    ground = rng.uniform(20, 235, 3)
    field = noise(rng, w, h, (40 * px_per_mm, 40 * px_per_mm), 2)[..., None]
    card = np.clip(ground + field * rng.uniform(-18, 18, 3), 0, 255).astype(np.uint8)
    if rng.random() < 0.6:
        at = (round(float(rng.uniform(0.5, 1.1)) * w), round(float(rng.uniform(0, 1)) * h))
        cv2.circle(card, at, round(0.55 * h), tuple(float(v) for v in np.clip(ground * 0.7 + 60, 0, 255)), -1, cv2.LINE_AA)
    ink = (245.0, 245.0, 245.0) if ground.mean() < 140 else (35.0, 35.0, 35.0)

    def put(text: str, x: float, y: float, size: float) -> None:
        cv2.putText(card, text, (round(x * px_per_mm), round(y * px_per_mm)), cv2.FONT_HERSHEY_DUPLEX, size * px_per_mm / 22, ink,
                    max(1, round(0.3 * px_per_mm)), cv2.LINE_AA)

    chip = np.rint(np.array([[9, 17], [20, 26]]) * px_per_mm).astype(int).tolist()
    cv2.rectangle(card, chip[0], chip[1], (90, 190, 215), -1)
    put(str(rng.choice(["CLUB", "TARJETA", "BIBLIOTECA", "TRANSPORTE", "GIMNASIO"])), 8, 11, 5.0)
    put(" ".join(f"{int(v):04d}" for v in rng.integers(0, 10_000, 4)), 8, 36, 4.2)
    put(str(rng.choice(["SOCIO PRUEBA", "A MUESTRA", "USUARIO"])), 8, 47, 3.2)
    return card, rounded_mask(w, h, 3.18 * px_per_mm)


def pen(rng: np.random.Generator, px_per_mm: float) -> tuple[Image, Image]:
    w, h = round(140 * px_per_mm), max(4, round(9 * px_per_mm))
    across = np.linspace(-1, 1, h, dtype=np.float32)[:, None, None]
    round_shade = np.clip(1.15 - 0.75 * np.abs(across + 0.25) ** 1.5, 0.2, 1.6)
    body = np.clip(np.full((h, w, 3), rng.uniform(25, 220, 3), np.float32) * round_shade, 0, 255).astype(np.uint8)
    body[:, : round(0.1 * w)] = np.clip(round_shade * 130, 0, 255).astype(np.uint8)
    mask = rounded_mask(w, h, h * 0.45)
    tip = np.array([[0, h // 2], [round(0.1 * w), 0], [0, 0]]), np.array([[0, h // 2], [round(0.1 * w), h], [0, h]])
    cv2.fillPoly(mask, tip, 0)
    return body, mask


def coin(rng: np.random.Generator, px_per_mm: float) -> tuple[Image, Image]:
    d = max(8, round(float(rng.uniform(21, 28)) * px_per_mm))
    metal = np.array([150, 165, 175] if rng.random() < 0.5 else [70, 140, 185], np.float32)
    y, x = np.mgrid[0:d, 0:d].astype(np.float32) / d * 2 - 1
    r = np.hypot(x, y)
    relief = 0.10 * noise(rng, d, d, (3 * px_per_mm,) * 2, 2) * (r < 0.75)
    shade = 1 + 0.18 * (x - y) * (r < 0.99) + relief + 0.25 * (np.abs(r - 0.88) < 0.05)
    return np.clip(metal * shade[..., None], 0, 255).astype(np.uint8), np.asarray(np.clip((1 - r) * d / 2, 0, 1) * 255, np.uint8)


def phone(rng: np.random.Generator, px_per_mm: float) -> tuple[Image, Image]:
    w, h = round(74 * px_per_mm), round(152 * px_per_mm)
    body = _filled(w, h, tuple(rng.uniform(12, 60, 3)))
    edge = round(4 * px_per_mm)
    glow = np.linspace(0, float(rng.uniform(10, 45)), w - 2 * edge, dtype=np.float32)[None, :, None]
    body[edge:-edge, edge:-edge] = np.clip(18 + glow, 0, 255).astype(np.uint8)
    return body, rounded_mask(w, h, 9 * px_per_mm)


def mug(rng: np.random.Generator, px_per_mm: float) -> tuple[Image, Image]:
    """A mug of coffee from above, with its handle."""
    d = round(84 * px_per_mm)
    size = round(d * 1.4)
    picture, mask = _filled(size, size, tuple(rng.uniform(40, 235, 3))), np.zeros((size, size), np.uint8)
    at = (d // 2 + 2, size // 2)
    cv2.line(mask, at, (size - 4, size // 2), 255, round(15 * px_per_mm), cv2.LINE_AA)
    cv2.circle(mask, at, d // 2, 255, -1, cv2.LINE_AA)
    rim = picture[0, 0].astype(np.float64)
    cv2.circle(picture, at, d // 2, tuple(float(v) for v in rim * 0.8), max(1, round(1.5 * px_per_mm)), cv2.LINE_AA)
    cv2.circle(picture, at, round(d * 0.44), tuple(float(v) for v in rim * 0.55), -1, cv2.LINE_AA)
    cv2.circle(picture, at, round(d * 0.42), (28, 48, 78), -1, cv2.LINE_AA)
    cv2.ellipse(picture, (at[0] - d // 8, at[1] - d // 6), (d // 7, d // 18), 30, 0, 360, (90, 120, 150), -1, cv2.LINE_AA)
    return picture, mask


def cable(rng: np.random.Generator, px_per_mm: float) -> tuple[Image, Image]:
    size = round(180 * px_per_mm)
    t = np.linspace(0, 1, 200)
    bends = rng.normal(0, 0.16, 3)
    y = 0.5 + sum(b * np.sin((k + 1) * math.pi * t) for k, b in enumerate(bends))
    points = np.column_stack([t, np.clip(y, 0.05, 0.95)]) * (size - 1)
    picture = _filled(size, size, tuple(rng.choice([25.0, 235.0]) + rng.uniform(-12, 12, 3)))
    mask = np.zeros((size, size), np.uint8)
    lit = tuple(min(255.0, float(v) + 30) for v in picture[0, 0])
    path = [np.round(points).astype(np.int32)]
    cv2.polylines(mask, path, False, 255, max(2, round(3.6 * px_per_mm)), cv2.LINE_AA)
    cv2.polylines(picture, path, False, lit, max(1, round(1.0 * px_per_mm)), cv2.LINE_AA)
    return picture, mask


def book(rng: np.random.Generator, px_per_mm: float) -> tuple[Image, Image]:
    """A closed book: cover, title, a band."""
    w, h = round(float(rng.uniform(125, 175)) * px_per_mm), round(float(rng.uniform(190, 240)) * px_per_mm)
    ground = rng.uniform(20, 220, 3)
    cover = np.clip(ground + 5 * noise(rng, w, h, (2 * px_per_mm,) * 2, 2)[..., None], 0, 255).astype(np.uint8)
    ink = (235.0, 240.0, 240.0) if ground.mean() < 130 else (30.0, 30.0, 40.0)
    cv2.rectangle(cover, (0, round(0.62 * h)), (w, round(0.74 * h)), tuple(float(v) for v in np.clip(255 - ground, 0, 255)), -1)
    hinge, dark = round(8 * px_per_mm), tuple(float(v) for v in ground * 0.7)
    cv2.line(cover, (hinge, 0), (hinge, h), dark, max(1, round(1.2 * px_per_mm)))
    for row, title in enumerate(rng.choice(["CUENTOS", "HISTORIA", "ATLAS", "POESIA", "COCINA", "FISICA"], 2, replace=False)):
        cv2.putText(cover, str(title), (round(18 * px_per_mm), round((45 + 22 * row) * px_per_mm)), cv2.FONT_HERSHEY_TRIPLEX,
                    14 * px_per_mm / 22, ink, max(1, round(1.0 * px_per_mm)), cv2.LINE_AA)
    return cover, rounded_mask(w, h, 2 * px_per_mm)


THINGS: dict[str, Thing] = {"sheet": sheet, "bank_card": bank_card, "pen": pen, "coin": coin, "phone": phone, "mug": mug,
                            "cable": cable, "book": book}
